"""ISTD's raw layout: {train,test}/{train,test}_A (with shadow), _B (shadow mask), _C (without shadow), as PNG."""

from functools import partial
from pathlib import Path
from typing import Literal

from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw._masks import read_colours
from uncertsam.data.raw.adapters.base import ComponentParams, Labels, RawImage, Reading, Skipped, need_folder

LAYOUT = "{train,test}/{train,test}_A/*.png for images and _B/*.png for masks of the same name"


class Params(ComponentParams):
    """Which split of the raw set is read, how masks are taken apart, and what is known about the labels."""

    split: Literal["train", "test", "all"] = "test"
    licence: str = TABLE["istd"].stated
    quality: Quality = "human"


def read(root: Path, params: Params) -> Reading:
    """List the images with a shadow mask; those of one scene (the name up to its last '-') are one group."""
    images, skipped = [], []
    for split in ["train", "test"] if params.split == "all" else [params.split]:
        masks = need_folder(root / split / f"{split}_B", LAYOUT)
        for path in sorted(need_folder(root / split / f"{split}_A", LAYOUT).glob("*.png")):
            name, mask = path.relative_to(root).as_posix(), masks / path.name
            if mask.is_file():
                labels = partial(_labels, mask, params)
                scene = path.stem.rpartition("-")[0] or path.stem
                images.append(RawImage(name, path, labels, scene, params.quality, mask=mask))
            else:
                skipped.append(Skipped(name, f"it has no mask in {split}_B"))
    choices = [
        "A shadow mask holds every pixel brighter than 127.",
        params.sentence(),
        "Images whose names agree up to the last '-' show one scene and stay together.",
    ]
    return Reading(images, "binary", params.licence, choices, skipped)


def _labels(path: Path, params: Params) -> Labels:
    mask = read_colours(path).max(axis=2) > 127
    parts, reasons = params.parts("shadow", mask)
    return Labels(mask.shape, parts, skipped=reasons)
