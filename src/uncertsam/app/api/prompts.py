"""What is asked about a picture, checked and in the picture's own pixels."""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from uncertsam.base.errors import UserError
from uncertsam.models.geometry import Geometry
from uncertsam.models.layout import Size
from uncertsam.models.prompts import BACKGROUND, FOREGROUND, PAD, Prompts, to_prompts

BOX = "A box is x0, y0, x1, y1 in pixels, left, top, right, bottom, counted from 0, both ends inside."
POINT = "A point is x, y in pixels counted from 0; its label 1 on the object, 0 beside it."
SHARES = "Multiply x by the picture's width and y by its height."
TINY = 4  # pixels: on a picture that small a prompt within [0, 1] may be meant in pixels


@dataclass(frozen=True)
class Question:
    """One object: a box (x0, y0, x1, y1) of pixel indices, both ends inside; clicks (x, y) with labels 1 on the object
    and 0 beside it; the low-resolution logits of an earlier answer. Any of them may be missing, but not all.

    notes: what was changed to make sense of it.
    """

    box: tuple[float, float, float, float] | None = None
    points: Float[np.ndarray, "k 2"] = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    labels: Int[np.ndarray, " k"] = field(default_factory=lambda: np.zeros(0, np.int64))
    mask: Float[np.ndarray, "h w"] | None = None
    notes: tuple[str, ...] = ()

    def prompts(self, size: Size, geometry: Geometry) -> Prompts:
        """In the pixels of the model's input, the box before the clicks. size: of the picture."""
        points, labels = torch.from_numpy(self.points)[None], torch.from_numpy(self.labels)[None]
        box = None if self.box is None else torch.tensor([self.box])
        found = to_prompts(geometry, size, box, points, labels)
        if not found.labels.numel():
            found = Prompts(torch.zeros(1, 1, 2), torch.tensor([[PAD]]))
        return found if self.mask is None else replace(found, masks=torch.from_numpy(self.mask)[None, None])


def question(
    size: Size, box: Any = None, points: Any = None, labels: Any = None, mask: Any = None, side: int = 0
) -> Question:
    """Check what is asked about a picture of `size` (H, W); `side`: of the logits that the model takes as a mask.

    A box that reaches out of the picture is cut, and a note says so; a click outside is refused. labels: None for all
    on the object. Raises UserError where there is nothing, or nothing sensible, to ask.
    """
    if box is None and points is None and mask is None:
        raise UserError("There is no prompt.", "Give a box, points, or a mask.")
    cut, notes = (None, ()) if box is None else checked_box(box, *size)
    where, kinds = _clicks(points, labels, *size)
    return Question(cut, where, kinds, None if mask is None else _mask(mask, side), notes)


def checked_box(box: Any, height: int, width: int) -> tuple[tuple[float, float, float, float], tuple[str, ...]]:
    """The box within the picture, and a note where it had to be cut or is odd; one pixel is a box.

    Raises UserError where nothing is left, where the ends are exchanged, and where the numbers can only be shares.
    """
    values = _numbers(box, (4,), "The box", BOX)
    x0, y0, x1, y1 = map(float, values)
    told = f"The box {_told(values)}"
    if x1 < x0 or y1 < y0:
        raise UserError(f"{told} has no area: it ends before it begins.", f"{BOX} COCO's width and height are no ends.")
    _refuse_shares(values, told, height, width)
    if x0 >= width or y0 >= height or x1 <= -1 or y1 <= -1:
        raise UserError(f"{told} lies outside of the picture, which has {width}x{height} pixels.", BOX)
    found = np.clip(values, 0, [width - 1, height - 1] * 2)
    notes = () if (found == values).all() else (f"{told} was cut to the picture: {_told(found)}.",)
    if (x0, y0, x1, y1) == (0, 0, 1, 1) and max(height, width) > TINY:
        notes = (f"{told} has two by two pixels; the whole picture is {[0, 0, width - 1, height - 1]}.",)
    left, top, right, bottom = map(float, found)
    return (left, top, right, bottom), notes


def _refuse_shares(values: np.ndarray, told: str, height: int, width: int) -> None:
    """Raise UserError where all numbers lie in [0, 1] and not all are whole: no two pixels are so near."""
    within = ((values >= 0) & (values <= 1)).all()
    if within and (values != values.round()).any() and max(height, width) > TINY:
        raise UserError(f"{told} looks normalised: all numbers lie in [0, 1], but pixels are wanted.", SHARES)


def _clicks(points: Any, labels: Any, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    if points is None:
        if labels is not None:
            raise UserError("There are labels, but no points.", POINT)
        return Question().points, Question().labels
    where = _numbers(points, (None, 2), "points", POINT)
    kinds = np.ones(len(where)) if labels is None else _numbers(labels, (None,), "labels", POINT)
    if len(kinds) != len(where):
        raise UserError(f"There are {len(where)} points and {len(kinds)} labels.", "Give each point one label.")
    if not np.isin(kinds, (BACKGROUND, FOREGROUND)).all():
        raise UserError(f"The labels are {_told(kinds)}.", POINT)
    _refuse_shares(where, f"Of the points the first, {_told(where[0])},", height, width)
    outside = (where < 0) | (where > (width - 1, height - 1))
    if outside.any():
        first = where[outside.any(1)][0]
        raise UserError(f"The point {_told(first)} is outside of the picture of {width}x{height} pixels.", POINT)
    return where.astype(np.float32), kinds.astype(np.int64)


def _mask(mask: Any, side: int) -> np.ndarray:
    """The low-resolution logits of an earlier answer, which may be the answer itself."""
    mend = f"Give an earlier prediction, or its logits: finite floats of shape [{side}, {side}]."
    values = _array(getattr(mask, "logits", mask), "The mask prompt", mend)
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    fits = values.dtype.kind == "f" and values.shape == (side, side)
    with np.errstate(over="ignore"):
        logits = values.astype(np.float32) if fits else None
    if logits is None or not np.isfinite(logits).all():
        raise UserError(
            f"A mask prompt of shape {[*values.shape]} and type {values.dtype} is none that the model takes.",
            mend,
        )
    return logits


def _numbers(values: Any, shape: tuple[int | None, ...], what: str, mend: str) -> np.ndarray:
    try:
        given = _array(values, what, mend)
        if given.dtype.kind in "cmM":  # complex numbers and times would be cut down to real numbers
            raise TypeError
        array = np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{what}: {reprlib.repr(values)} are no numbers.", mend) from None
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits or not np.isfinite(array).all() or not array.size:
        raise UserError(f"{what}: {_told(array) if array.size else 'nothing'} is of the wrong form.", mend)
    return array


def _array(values: Any, what: str, mend: str) -> np.ndarray:
    """Numbers in any form, of a tensor on any device or in a graph too. Raises UserError where they are ragged."""
    try:
        if isinstance(values, torch.Tensor):
            values = values.detach().cpu()
            values = values.float() if values.dtype == torch.bfloat16 else values
        return np.asarray(values)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise UserError(f"{what}: {reprlib.repr(values)} is no array of numbers.", mend) from None


def _told(values: np.ndarray | Sequence[float]) -> str:
    array = np.asarray(values, np.float64)
    if array.size > 16:
        return f"an array of shape {[*array.shape]}"
    with np.errstate(over="ignore"):
        return str(array.round(2).tolist()).replace(".0,", ",").replace(".0]", "]")
