"""COCO's segmentations: polygons, run lengths, and run lengths as text.

Verified in pycocotools: a polygon is [x0, y0, x1, y1, ...]; run lengths go down the columns and begin with background;
a text is their compressed form.
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

import numpy as np
import pydantic
from pycocotools import mask as masktools

from uncertsam.base.errors import UserError, first_fault
from uncertsam.data.format import decode_rle
from uncertsam.data.raw.adapters.base import Parts
from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.masks import Mask

M = TypeVar("M", bound=pydantic.BaseModel)
Finite = Annotated[float, pydantic.Field(allow_inf_nan=False)]


class _Runs(pydantic.BaseModel):
    """Run lengths of a mask of `size` [H, W], plain or as COCO's text."""

    size: tuple[int, int]
    counts: str | list[Annotated[int, pydantic.Field(ge=0)]]


class _Polygons(pydantic.RootModel[list[list[Finite]]]):
    """Polygons whose union is the mask, each x0, y0, x1, y1, ... in pixels."""


def valid(model: type[M], entries: Sequence[Any], where: str) -> tuple[list[M], list[str]]:
    """The entries of a list in JSON that are what they should be, and what is wrong with each of the others."""
    good: list[M] = []
    broken: list[str] = []
    for i, entry in enumerate(entries):
        try:
            good.append(model.model_validate(entry))
        except pydantic.ValidationError as error:
            number = entry.get("id") if isinstance(entry, dict) else None
            broken.append(first_fault(error, where, i) + ("" if number is None else f" (id {number})"))
    return good, broken


def null_as(default: Any) -> pydantic.BeforeValidator:
    """For JSON in which null stands for an entry that is not there."""
    return pydantic.BeforeValidator(lambda value: default if value is None else value)


def decoded(segmentations: Iterable[tuple[str, Any]], height: int, width: int) -> tuple[Parts, list[str]]:
    """The masks of annotations, (label, polygons or run lengths), and why the others are none of this size."""
    masks: Parts = []
    broken: list[str] = []
    for label, segmentation in segmentations:
        try:
            masks.append((label, _decoded(segmentation, height, width)))
        except Unusable as error:
            broken.append(f"{label}: {error}")
    return masks, broken


def _decoded(segmentation: Any, height: int, width: int) -> Mask:
    if not segmentation:
        raise Unusable("it has no segmentation")
    try:
        if isinstance(segmentation, dict):
            return _from_runs(_Runs.model_validate(segmentation), height, width)
        return _filled(_Polygons.model_validate(segmentation).root, height, width)
    except pydantic.ValidationError:
        raise Unusable("its segmentation is neither polygons nor run lengths") from None


def _filled(polygons: list[list[float]], height: int, width: int) -> Mask:
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            raise Unusable(f"a polygon of {len(polygon)} numbers, not three points or more")
        # pycocotools walks along every edge, however far it leads
        if min(polygon) < -max(height, width) or max(polygon) > 2 * max(height, width):
            raise Unusable("a polygon lies far outside the image")
    rles: Any = masktools.frPyObjects(polygons, height, width)
    return np.asarray(masktools.decode(masktools.merge(rles))).astype(bool)


def _from_runs(runs: _Runs, height: int, width: int) -> Mask:
    if runs.size != (height, width):
        raise Unusable(f"its RLE is for {runs.size[1]}x{runs.size[0]} pixels, the image has {width}x{height}")
    if isinstance(runs.counts, str):
        try:
            return decode_rle({"size": [height, width], "counts": b64encode(runs.counts.encode()).decode()})
        except UserError:
            raise Unusable(f"its RLE is broken: the text does not describe {width}x{height} pixels") from None
    if sum(runs.counts) != height * width:
        raise Unusable(f"its RLE is broken: the runs cover {sum(runs.counts)} of {height * width} pixels")
    return np.repeat(np.arange(len(runs.counts)) % 2 == 1, runs.counts).reshape(width, height).T
