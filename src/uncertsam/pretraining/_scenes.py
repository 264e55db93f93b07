"""Training scenes for `sam2_nano`: photos, photos with objects pasted on, and textured shapes, all strongly varied.

A few hundred photos are the limit of what a small model can learn from, so variety comes from composition: any object
on any ground, and drawn scenes of every kind.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Int

from uncertsam.pretraining import _synthetic_scenes
from uncertsam.pretraining.materials import (
    Image,
    LabelledPhoto,
    Labels,
    Light,
    Materials,
    Rng,
    any_photo,
    any_texture,
    blend,
    crop,
)

DRAWN = [
    _synthetic_scenes.shapes,
    _synthetic_scenes.shapes,
    _synthetic_scenes.panes,
    _synthetic_scenes.panes,
    _synthetic_scenes.cast_shadows,
    _synthetic_scenes.cast_shadows,
    _synthetic_scenes.scattered,
    _synthetic_scenes.lines,
    _synthetic_scenes.glows,
    _synthetic_scenes.organs,
]
PHOTOS, PASTED = 0.65, 0.18  # shares of the scenes; the others are drawn
SMALLEST = 60  # pixels; a smaller region is not asked for


@dataclass(frozen=True)
class _Scene:
    """A square image and the objects that may be asked for in it."""

    image: Image
    masks: Bool[np.ndarray, "n h w"]


def compose(rng: Rng, materials: Materials, size: int, most: int) -> _Scene:
    """One random scene of `size` px with 1 to `most` objects. Without photos all are drawn."""
    values = np.array([], int)
    while not len(values):
        kind = rng.random() if materials.photos else 1.0
        draw = _photo if kind < PHOTOS else _pasted if kind < PHOTOS + PASTED else DRAWN[rng.integers(len(DRAWN))]
        image, labels = draw(rng, materials, size)
        values = _regions(labels, SMALLEST, 0.95)
    chosen = _drawn_by_size(rng, labels, values, most)
    return _Scene(_vary(rng, image), labels[None] == chosen[:, None, None])


def _regions(labels: Labels, least: int, share: float) -> Int[np.ndarray, " k"]:
    """The labels (not 0) of at least `least` pixels and at most `share` of the image."""
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return np.flatnonzero((areas >= least) & (areas <= share * labels.size))


def _drawn_by_size(rng: Rng, labels: Labels, values: Int[np.ndarray, " k"], most: int) -> Int[np.ndarray, " m"]:
    """At most `most` of the labels, large ones a little more often than their parts."""
    odds = np.bincount(labels.ravel())[values] ** 0.3
    chosen: Int[np.ndarray, " m"] = rng.choice(values, min(most, len(values)), replace=False, p=odds / odds.sum())
    return chosen


def _photo(rng: Rng, materials: Materials, size: int) -> tuple[Image, Labels]:
    return crop(rng, any_photo(rng, materials), size, materials.whole)


def _pasted(rng: Rng, materials: Materials, size: int) -> tuple[Image, Labels]:
    """One to three regions of other photos on a photo, or on a texture."""
    if rng.random() < 0.7:
        image, labels = _photo(rng, materials, size)
    else:
        image, labels = any_texture(rng, materials, size), np.zeros((size, size), np.int32)
    image, labels = image.astype(np.float32), labels.copy()
    for k in range(rng.integers(1, 4)):
        cut = _cut_out(rng, any_photo(rng, materials), size)
        if cut is not None:
            blend(image, cut[0].astype(np.float32), cut[1], rng.uniform(0.5, 1.5))
            labels[cut[1]] = 1000 + k
    return image.astype(np.uint8), labels


def _cut_out(rng: Rng, photo: LabelledPhoto, size: int) -> tuple[Image, Bool[np.ndarray, "h w"]] | None:
    """One region, turned, scaled and moved, on a canvas of `size`; None where it fell outside or is too small."""
    values = _regions(photo.labels, 400, 0.5)
    if not len(values):
        return None
    region = (photo.labels == rng.choice(values)).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(region)
    scale = rng.uniform(0.15, 0.75) * size / max(w, h)
    turn = np.array(cv2.getRotationMatrix2D((x + w / 2, y + h / 2), rng.normal(0, 15), scale), float)
    turn[:, 2] += rng.uniform(0.15, 0.85, 2) * size - (x + w / 2, y + h / 2)
    image = cv2.warpAffine(photo.image, turn, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    mask = cv2.warpAffine(region, turn, (size, size), flags=cv2.INTER_NEAREST) > 0
    return (image, mask) if mask.sum() >= SMALLEST else None


def _vary(rng: Rng, image: Image) -> Image:
    """Channels permuted, brightness, contrast, gamma, colour cast, grey, blur and noise."""
    if rng.random() < 0.1:
        image = image[..., rng.permutation(3)]
    x: Light = image.astype(np.float32)
    if rng.random() < 0.3:
        x = np.float32(255) * (x / np.float32(255)) ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
    if rng.random() < 0.15:
        x = np.repeat(x.mean(2, keepdims=True), 3, 2)
    x = (x - 128) * rng.uniform(0.5, 1.4) + 128 + rng.uniform(-40, 40)
    x = x * rng.uniform(0.88, 1.12, 3).astype(np.float32)
    if rng.random() < 0.2:
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6)), np.float32)
    if rng.random() < 0.3:
        x = x + rng.uniform(2, 14) * rng.standard_normal(x.shape, np.float32)
    return np.clip(x, 0, 255).astype(np.uint8)
