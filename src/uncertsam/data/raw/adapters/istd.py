"""ISTD's raw layout: {train,test}/{train,test}_A (with shadow), _B (shadow mask), _C (without shadow), as PNG."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.adapters.base import Reading
from uncertsam.data.raw.pairs import BrightParams, Files, read_bright


class Params(BrightParams):
    """Which splits are read, how masks are taken apart, and what is known about the labels."""

    label: ClassVar[str] = "shadow"
    files: Files = {split: (f"{split}/{split}_A/*.png", f"{split}/{split}_B/*.png") for split in ("test", "train")}
    splits: list[str] = ["test"]
    licence: str = TABLE["istd"].stated
    quality: Quality = "human"


def read(root: Path, params: Params) -> Reading:
    """List the images with a shadow mask; those of one scene (the name up to its last '-') are one group."""
    reading = read_bright(root, params)
    scenes = [image.path.stem.rpartition("-")[0] or image.path.stem for image in reading.images]
    images = [replace(image, group=scene) for image, scene in zip(reading.images, scenes, strict=True)]
    rule = "Images whose names agree up to the last '-' show one scene and stay together."
    return replace(reading, images=images, choices=[*reading.choices, rule])
