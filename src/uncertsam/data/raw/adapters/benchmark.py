"""The benchmark format itself as a raw set: <split>/images/*.jpg and <split>/annotations/dataset.json.

So are the authors' published sets read, and sets that this project wrote. Verified in the authors' public code: the two
folders, the JSON's fields, and images named by whole numbers. Not verifiable offline: their zero-padding to eight
digits, and whether the archives hold the splits at their top; a split may therefore lie deeper in the raw set.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pydantic

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, ImageRecord, Quality, Rle, Split, decode_rle, read_split
from uncertsam.data.licences import PUBLISHED
from uncertsam.data.raw.adapters.base import Labels, RawImage, Reading, plural
from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.masks import Mask


class Params(pydantic.BaseModel, extra="forbid"):
    """Which splits are read (they are divided anew by the split contract), and what is known about the labels.

    published: the name of a published set, which tells its licence. quality: of images that say nothing themselves.
    """

    splits: list[str] = pydantic.Field(["test"], min_length=1)
    published: str | None = None
    licence: str | None = None
    quality: Quality = "unknown"

    @pydantic.field_validator("published")
    @classmethod
    def _known(cls, published: str | None) -> str | None:
        if published not in (None, *PUBLISHED):
            raise ValueError(f"the published sets are {', '.join(PUBLISHED)}")
        return published

    @pydantic.field_validator("splits")
    @classmethod
    def _once(cls, splits: list[str]) -> list[str]:
        if len(set(splits)) < len(splits):
            raise ValueError("name each split once")
        return splits


def read(root: Path, params: Params) -> Reading:
    """List the images of the chosen splits. Raises UserError where a split is missing, there twice, or broken."""
    splits = {name: read_split(_folder(root, name)) for name in params.splits}
    images = [_image(root, split, record, params) for split in splits.values() for record in split]
    counts = ", ".join(f"{name} ({plural(len(split), 'image')})" for name, split in splits.items())
    choices = [f"Read as published in the benchmark format: {counts}.", "Masks are taken as they are, each a target."]
    return Reading(images, "instances", _licence(splits, params), choices)


def _folder(root: Path, split: str) -> Path:
    found = sorted(path.parents[1] for path in root.glob(f"**/{split}/annotations/dataset.json"))
    if not found:
        raise UserError(
            f"{root} has no {split}/annotations/dataset.json.", "Set `splits` to the splits that the set has."
        )
    if len(found) > 1:
        raise UserError(f"{root} has the split {split} twice: {found[0]} and {found[1]}.", "Name the folder of one.")
    return found[0]


def _licence(splits: dict[str, Split], params: Params) -> str:
    """What the option says, or Table 2 for a published set, or the set itself."""
    said = [str(split.info["licence"]) for split in splits.values() if split.info.get("licence")]
    table = PUBLISHED[params.published].stated if params.published else None
    return params.licence or table or (said[0] if said else "not stated")


def _image(root: Path, split: Split, record: ImageRecord, params: Params) -> RawImage:
    path = split.root / "images" / record.file_name
    name = path.relative_to(root).as_posix()
    labels: Callable[[], Labels] = partial(_labels, record, split.annotations[record.id])
    quality = params.quality if record.quality == "unknown" else record.quality
    return RawImage(name, path, labels, record.group or name, quality)


def _labels(record: ImageRecord, annotations: list[Annotation]) -> Labels:
    """The masks of one image, those without area left out: the authors pass over them too."""
    masks = [(a.label or f"object/{a.id}", _decoded(a.segmentation)) for a in annotations if a.area > 0]
    empty = [f"object/{a.id}: it has no area" for a in annotations if a.area <= 0]
    ignore = None if record.ignore is None else _decoded(record.ignore)
    return Labels((record.height, record.width), masks, ignore, empty)


def _decoded(rle: Rle) -> Mask:
    try:
        return decode_rle(rle)
    except UserError as error:
        raise Unusable(error.problem) from None
