"""What is asked about a picture, checked and in the picture's own pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from uncertsam.errors import UserError
from uncertsam.sam.prompts import BACKGROUND, FOREGROUND, PAD, Prompts, from_boxes
from uncertsam.sam.transforms import scale_boxes, scale_points

BOX = "A box is x0, y0, x1, y1 in pixels, left, top, right, bottom, counted from 0, both ends inside."
POINT = "A point is x, y in pixels counted from 0; its label 1 on the object, 0 beside it."


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

    def prompts(self, height: int, width: int, size: int) -> Prompts:
        """In the pixels of the model's square input, the box before the clicks."""
        points = scale_points(torch.from_numpy(self.points), height, width, size)
        labels = torch.from_numpy(self.labels)
        if self.box is not None:
            corners = from_boxes(scale_boxes(torch.tensor([self.box]), height, width, size))
            points, labels = torch.cat([corners.points[0], points]), torch.cat([corners.labels[0], labels])
        if not len(labels):
            points, labels = torch.zeros(1, 2), torch.tensor([PAD])
        mask = None if self.mask is None else torch.from_numpy(self.mask)[None, None]
        return Prompts(points[None], labels[None], mask)


def question(
    size: tuple[int, int], box: Any = None, points: Any = None, labels: Any = None, mask: Any = None, side: int = 0
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
    """The box within the picture, and a note where it had to be cut. Raises UserError where nothing is left."""
    values = _numbers(box, (4,), "The box", BOX)
    x0, y0, x1, y1 = map(float, values)
    told = f"The box {_told(values)}"
    if x1 <= x0 or y1 <= y0:
        raise UserError(f"{told} has no area.", BOX)
    cut = (max(x0, 0.0), max(y0, 0.0), min(x1, width - 1.0), min(y1, height - 1.0))
    if cut[2] <= cut[0] or cut[3] <= cut[1]:
        raise UserError(f"{told} lies outside of the picture, which has {width}x{height} pixels.", BOX)
    changed = cut != (x0, y0, x1, y1)
    return cut, (f"{told} was cut to the picture: {_told(cut)}.",) if changed else ()


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
    outside = (where < 0) | (where > (width - 1, height - 1))
    if outside.any():
        first = where[outside.any(1)][0]
        raise UserError(f"The point {_told(first)} is outside of the picture of {width}x{height} pixels.", POINT)
    return where.astype(np.float32), kinds.astype(np.int64)


def _mask(mask: Any, side: int) -> np.ndarray:
    """The low-resolution logits of an earlier answer, which may be the answer itself."""
    values = np.asarray(getattr(mask, "logits", mask))
    values = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.dtype.kind != "f" or values.shape != (side, side) or not np.isfinite(values).all():
        raise UserError(
            f"A mask prompt of shape {[*values.shape]} and type {values.dtype} is none that the model takes.",
            f"Give an earlier prediction, or its logits: finite floats of shape [{side}, {side}].",
        )
    return values.astype(np.float32)


def _numbers(values: Any, shape: tuple[int | None, ...], what: str, mend: str) -> np.ndarray:
    try:
        array = np.asarray(values.cpu() if hasattr(values, "cpu") else values, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{what}: {values!r} are no numbers.", mend) from None
    fits = array.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if not fits or not np.isfinite(array).all() or not array.size:
        raise UserError(f"{what}: {_told(array) if array.size else 'nothing'} is of the wrong form.", mend)
    return array


def _told(values: np.ndarray | Sequence[float]) -> str:
    return str(np.asarray(values).round(2).tolist()).replace(".0,", ",").replace(".0]", "]")
