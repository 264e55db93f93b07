"""SA-1B's raw layout (Kirillov et al. 2023): sa_N.jpg and sa_N.json side by side, in one folder or one per archive.

Verified in published files: the JSON is {image: {file_name, width, height, ...}, annotations: [{id, area, bbox,
segmentation: {size: [H, W], counts: COCO's text}, predicted_iou, stability_score, ...}]}, and such a text decodes to
the stated area and box. The masks were made by a model, not by hand.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pydantic

from uncertsam.base.errors import UserError, first_fault
from uncertsam.base.rng import derive_seed
from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.adapters._segmentations import decoded, null_as, valid
from uncertsam.data.raw.adapters.base import Labels, RawImage, Reading, Skipped, plural
from uncertsam.data.raw.images import Unusable


class Params(pydantic.BaseModel, extra="forbid"):
    """Which masks are kept, by what the JSON says of them, and how many of them per image.

    max_masks: null for all; else that many, chosen by hash of (seed, image, mask).
    """

    min_area: int = pydantic.Field(0, ge=0)  # pixels
    min_predicted_iou: float = 0.0
    min_stability: float = 0.0
    max_masks: int | None = pydantic.Field(None, ge=1)
    seed: int = 0
    licence: str = TABLE["sa1b"].stated
    quality: Quality = "model"


class _Picture(pydantic.BaseModel):
    """The entry `image`; sizes in pixels."""

    file_name: str
    height: pydantic.PositiveInt
    width: pydantic.PositiveInt


class _Instance(pydantic.BaseModel):
    """An entry of `annotations`; its segmentation is looked at when it is decoded. null is as good as no score."""

    id: int
    area: float
    predicted_iou: Annotated[float, null_as(1.0)] = 1.0
    stability_score: Annotated[float, null_as(1.0)] = 1.0
    segmentation: Any = None


class _Sheet(pydantic.BaseModel):
    """The JSON of one image; whatever else it holds is not read."""

    image: _Picture
    annotations: list[Any]


def read(root: Path, params: Params) -> Reading:
    """List the images with a JSON; every image is a scene of its own. Raises UserError where there is none."""
    images: list[RawImage] = []
    skipped: list[Skipped] = []
    for path in sorted(root.rglob("sa_*.jpg")):
        name, sheet = path.relative_to(root).as_posix(), path.with_suffix(".json")
        if sheet.is_file():
            images.append(RawImage(name, path, partial(_labels, sheet, path.name, params), name, params.quality))
        else:
            skipped.append(Skipped(name, f"it has no {sheet.name} beside it"))
    if not images:
        raise UserError(
            f"{root} has no sa_*.jpg with a sa_*.json beside it ({plural(len(skipped), 'image')} alone).",
            "Name the folder that SA-1B's archives were unpacked to.",
        )
    return Reading(images, "instances", params.licence, _choices(params), skipped)


def _choices(params: Params) -> list[str]:
    kept = (
        f"Masks are kept by what SA-1B says of them: area at least {params.min_area} pixels, predicted IoU at least "
        f"{params.min_predicted_iou:g}, stability at least {params.min_stability:g}."
    )
    made = "Masks were made by a model (SAM's data engine), not by hand."
    if params.max_masks is None:
        return [made, kept]
    limit = plural(params.max_masks, "mask")
    return [made, kept, f"At most {limit} per image, chosen by hash of seed {params.seed}, image and mask."]


def _labels(sheet: Path, image: str, params: Params) -> Labels:
    data = _parsed(sheet)
    if data.image.file_name != image:
        raise Unusable(f"{sheet.name} is about {data.image.file_name}")
    instances, reasons = valid(_Instance, data.annotations, "annotations")
    wanted = [a for a in instances if _fits(a, params)]
    below = len(instances) - len(wanted)
    reasons += [f"{plural(below, 'mask')} below the options' limits"] if below else []
    chosen = sorted(wanted, key=lambda a: derive_seed(params.seed, image, a.id))[: params.max_masks]
    height, width = data.image.height, data.image.width
    shapes = [(f"mask/{a.id}", a.segmentation) for a in sorted(chosen, key=lambda a: a.id)]
    masks, broken = decoded(shapes, height, width)
    return Labels((height, width), masks, skipped=reasons + broken)


def _fits(instance: _Instance, params: Params) -> bool:
    good = instance.predicted_iou >= params.min_predicted_iou and instance.stability_score >= params.min_stability
    return good and instance.area >= params.min_area


def _parsed(sheet: Path) -> _Sheet:
    try:
        return _Sheet.model_validate_json(sheet.read_bytes())
    except pydantic.ValidationError as error:
        raise Unusable(f"{sheet.name} is no sheet of SA-1B: {first_fault(error)}") from None
