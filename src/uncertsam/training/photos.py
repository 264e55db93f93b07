"""Training photos out of the benchmark format, and what a checkpoint's manifest says of them."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from uncertsam.data.format import Split
from uncertsam.data.splits import dhash
from uncertsam.training.materials import Photo


def read_photos(split: Split, longest: int) -> Iterator[Photo]:
    """Every image of a split, its longest side at most `longest` px; where masks overlap, the smaller one shows."""
    for image in split:
        scale = min(1.0, longest / max(image.height, image.width))
        size = (round(image.width * scale), round(image.height * scale))
        labels = np.zeros((image.height, image.width), np.int32)
        masks = split.masks(image.id)
        for k in np.argsort([-mask.sum() for mask in masks], kind="stable"):
            labels[masks[k]] = k + 1
        pixels = cv2.resize(split.pixels(image.id), size, interpolation=cv2.INTER_AREA)
        yield Photo(pixels, cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST))


def training_facts(split: Split, settings: dict[str, Any]) -> dict[str, Any]:
    """What the manifest of a checkpoint trained on `split` says: the split contract reads the two lists."""
    return {
        "trained_on": [f"{len(split)} photos of {split.info.get('dataset', '?')} (pretrain split), not shipped",
                       "textured shapes, shadows and panes drawn by this project"],
        "pretrain_images": sorted(image.sha256 for image in split),
        "pretrain_dhashes": sorted(f"{dhash(split.pixels(image.id)):016x}" for image in split),
        "allowed_use": "research and demonstration; trained on photos with licences of their own",
        "settings": settings,
    }  # fmt: skip
