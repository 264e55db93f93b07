"""COD10K-v3's raw layout: {Train,Test}/Image/*.jpg, GT_Instance/*.png (a colour per object), GT_Object/*.png."""

from functools import partial
from pathlib import Path
from typing import Literal

from uncertsam.base.errors import UserError
from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.adapters.base import ComponentParams, Labels, RawImage, Reading, Skipped, need_folder, plural
from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.masks import read_colours, split_colours
from uncertsam.data.raw.pairs import bright, separated

LAYOUT = "{Train,Test}/Image/*.jpg with GT_Instance/*.png or GT_Object/*.png of the same name"
OBJECT = "GT_Object"


class Params(ComponentParams):
    """Which split of the raw set is read, how masks are taken apart, and what is known about the labels."""

    split: Literal["Train", "Test", "all"] = "Test"
    licence: str = TABLE["cod10k"].stated
    quality: Quality = "human"


def read(root: Path, params: Params) -> Reading:
    """List the images with a camouflaged object; every image is a scene of its own."""
    images, skipped, without, coarse = [], [], 0, 0
    for split in ["Train", "Test"] if params.split == "all" else [params.split]:
        for path in sorted(need_folder(root / split / "Image", LAYOUT).glob("*.jpg")):
            name, mask = path.relative_to(root).as_posix(), _mask_of(root / split, path.stem)
            if "NonCAM" in path.stem and (mask is None or _empty(mask)):
                without += 1
            elif mask is None:
                skipped.append(Skipped(name, f"it has a mask neither in GT_Instance nor in {OBJECT}"))
            else:
                coarse += mask.parent.name == OBJECT
                labels = partial(_labels, mask, params)
                images.append(RawImage(name, path, labels, path.stem, params.quality, mask=mask))
    if not images and without:
        raise UserError(f"{root} holds only images without an object (NonCAM).", "Choose another split.")
    return Reading(images, "instances", params.licence, _choices(params, without, coarse), skipped)


def _mask_of(folder: Path, stem: str) -> Path | None:
    candidates = (folder / kind / f"{stem}.png" for kind in ("GT_Instance", OBJECT))
    return next((path for path in candidates if path.is_file()), None)


def _empty(mask: Path) -> bool:
    try:
        return not read_colours(mask).any()
    except Unusable:
        return False  # the preprocess stage will list it as broken


def _choices(params: Params, without: int, coarse: int) -> list[str]:
    choices = ["Instance masks are split by colour (App. B of the paper), black being the background."]
    if coarse:
        has = "has no instance mask, so its" if coarse == 1 else "have no instance mask, so their"
        choices.append(f"{plural(coarse, 'image')} {has} object mask is used, every pixel brighter than 127.")
    if without:
        verb = "is" if without == 1 else "are"
        choices.append(f"{plural(without, 'image')} without a camouflaged object (NonCAM) {verb} left out.")
    return [*choices, params.sentence()]


def _labels(path: Path, params: Params) -> Labels:
    if path.parent.name == OBJECT:
        return separated({"object": bright(path)}, params)
    colours = read_colours(path)
    found = {"#{:02x}{:02x}{:02x}".format(*c): mask for c, mask in split_colours(colours).items()}
    return separated(found, params) if found else Labels(colours.shape[:2], [])
