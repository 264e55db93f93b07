"""COCO's raw layout: a folder of images and one instances JSON with polygons and run lengths, crowds marked.

Verified in pycocotools: the keys of the JSON, that a polygon is [x0, y0, x1, y1, ...], that run lengths go down the
columns and begin with background, and that a text is their compressed form.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pydantic

from uncertsam.base.errors import UserError, first_fault
from uncertsam.data.format import Quality
from uncertsam.data.raw.adapters._segmentations import decoded, null_as, valid
from uncertsam.data.raw.adapters.base import Labels, RawImage, Reading, SizeParams, Skipped, plural
from uncertsam.data.raw.found import rest


class Params(SizeParams):
    """Where the JSON and the images are, relative to the raw set; crowd: keep regions of many objects at once."""

    annotations: str = "annotations/instances_val2017.json"
    images: str = "val2017"
    crowd: bool = False
    licence: str = "not stated"
    quality: Quality = "unknown"


class _Picture(pydantic.BaseModel):
    """An entry of `images`; sizes in pixels."""

    id: int
    file_name: str
    height: pydantic.PositiveInt
    width: pydantic.PositiveInt


class _Instance(pydantic.BaseModel):
    """An entry of `annotations`; its segmentation is looked at when it is decoded. null is as good as no entry.

    Of something without a category only its name is not known.
    """

    id: int
    image_id: int
    category_id: int | None = None
    segmentation: Any = None
    iscrowd: Annotated[bool, null_as(False)] = False


class _Category(pydantic.BaseModel):
    """An entry of `categories`."""

    id: int
    name: str


class _Entries(pydantic.BaseModel):
    """The JSON, its entries as they come; whatever else it holds is not read."""

    images: list[Any]
    annotations: list[Any]
    categories: list[Any] | None = None


@dataclass(frozen=True)
class _Instances:
    """The entries that can be read; `broken` says of each of the others what is wrong."""

    images: list[_Picture]
    annotations: list[_Instance]
    names: dict[int, str]
    broken: list[str]


def read(root: Path, params: Params) -> Reading:
    """List the images with an annotation; every image is a scene of its own.

    Raises UserError where the JSON is missing, not COCO's, without an image that can be read, or uses an id twice.
    """
    source = root / params.annotations
    data = _parsed(source)
    _unique((picture.id for picture in data.images), "image", source)
    _unique((annotation.id for annotation in data.annotations), "annotation", source)
    wanted = [a for a in data.annotations if params.crowd or not a.iscrowd]
    of_image: dict[int, list[_Instance]] = defaultdict(list)
    for annotation in wanted:
        of_image[annotation.image_id].append(annotation)
    images, skipped = _listed(root, params, data.images, of_image, data.names)
    known = {picture.id for picture in data.images}
    reasons = [
        f"annotation {a.id} is of image {a.image_id}, which is not listed" for a in wanted if a.image_id not in known
    ]
    skipped += [Skipped(params.annotations, reason) for reason in [*reasons, *data.broken]]
    skipped += _unlisted(root, params, data.images)
    return Reading(images, "instances", params.licence, _choices(data, params, of_image, len(wanted)), skipped)


def _parsed(source: Path) -> _Instances:
    try:
        entries = _Entries.model_validate_json(source.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{source} is missing.", "Set `annotations` to the JSON of this release.") from None
    except ValueError as error:
        raise _no_coco(source, first_fault(error)) from None
    images, no_images = valid(_Picture, entries.images, "images")
    if no_images and not images:
        raise _no_coco(source, no_images[0])
    annotations, broken = valid(_Instance, entries.annotations, "annotations")
    categories = valid(_Category, entries.categories or [], "categories")[0]  # without one, the number is the name
    names = {category.id: category.name for category in categories}
    return _Instances(images, annotations, names, no_images + broken)


def _no_coco(source: Path, why: str) -> UserError:
    return UserError(f"{source} is no instances JSON: {why}.", "Restore the file.")


def _unique(ids: Iterable[int], kind: str, source: Path) -> None:
    for number, times in Counter(ids).most_common(1):
        if times > 1:
            raise UserError(f"{source} uses the {kind} id {number} {times} times.", "Give every entry its own id.")


def _listed(
    root: Path, params: Params, pictures: list[_Picture], of_image: dict[int, list[_Instance]], names: dict[int, str]
) -> tuple[list[RawImage], list[Skipped]]:
    images: list[RawImage] = []
    skipped: list[Skipped] = []
    for picture in pictures:
        if not of_image.get(picture.id):
            continue
        name = f"{params.images}/{picture.file_name}"
        path = root / name
        if not path.resolve().is_relative_to(root.resolve()) or not path.is_file():
            skipped.append(Skipped(name, "the image is not in the raw set"))
            continue
        labels = partial(_labels, picture, of_image[picture.id], names)
        images.append(RawImage(name, path, labels, name, params.quality))
    return images, skipped


def _unlisted(root: Path, params: Params, pictures: list[_Picture]) -> list[Skipped]:
    """Files beside the images that no entry names."""
    folder, named = root / params.images, {picture.file_name for picture in pictures}
    lost = rest(folder, {*named, params.annotations}, "no entry of `images` names it")
    return [Skipped(f"{params.images}/{skip.file}", skip.reason) for skip in lost]


def _choices(data: _Instances, params: Params, of_image: dict[int, list[_Instance]], wanted: int) -> list[str]:
    choices = ["Every annotation is a mask of its own; polygons are filled as pycocotools does."]
    without = sum(picture.id not in of_image for picture in data.images)
    if without:
        choices.append(f"{plural(without, 'image')} without such an annotation left out.")
    if params.crowd:
        return [*choices, "Regions that hold many objects at once (iscrowd) are masks as well."]
    crowds = len(data.annotations) - wanted
    return [*choices, f"{plural(crowds, 'region')} of many objects at once (iscrowd) left out."]


def _labels(picture: _Picture, instances: list[_Instance], names: dict[int, str]) -> Labels:
    shapes = [(f"{_name(a.category_id, names)}/{a.id}", a.segmentation) for a in instances]
    masks, reasons = decoded(shapes, picture.height, picture.width)
    return Labels((picture.height, picture.width), masks, skipped=reasons)


def _name(category: int | None, names: dict[int, str]) -> str:
    return "object" if category is None else names.get(category, str(category))
