"""Training scenes for `sam2_nano`: photos, photos with objects pasted on, and textured shapes, all strongly varied.

A few hundred photos are the limit of what a small model can learn from, so variety comes from composition: any object
on any ground, shapes that hide in their own texture, shadows, panes of glass.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from uncertsam.data.worlds.shapes import shape
from uncertsam.data.worlds.textures import texture
from uncertsam.rng import numpy_generator

Rng = np.random.Generator
Image = UInt8[np.ndarray, "h w 3"]
Labels = Int[np.ndarray, "h w"]
SMALLEST = 60  # pixels; a smaller region is not asked for


@dataclass(frozen=True)
class Photo:
    """A photo and its regions: 0 is unlabelled, every other value one region."""

    image: Image
    labels: Labels


@dataclass(frozen=True)
class Scene:
    """A square image and the objects that may be asked for in it."""

    image: Image
    masks: Bool[np.ndarray, "n h w"]


@dataclass(frozen=True)
class Materials:
    """What scenes are made of: photos with regions, and a bank of square textures (drawing one anew is slow)."""

    photos: Sequence[Photo]
    textures: Sequence[Image]


def draw_textures(seed: int, count: int, size: int) -> list[Image]:
    return [texture(numpy_generator(seed, "texture", k), size, size) for k in range(count)]


def compose(rng: Rng, materials: Materials, size: int, most: int) -> Scene:
    """One random scene of `size` px with 1 to `most` objects. Without photos only textured shapes are drawn."""
    kinds = [_shapes]
    if materials.photos:
        kinds = [_photo, _photo, _photo, _photo, _pasted, _pasted, _pasted, _shapes, _shapes]
    values = np.array([], int)
    while not len(values):
        image, labels = kinds[rng.integers(len(kinds))](rng, materials, size)
        values = _regions(labels, SMALLEST, 0.95)
    chosen = rng.permutation(values)[:most]
    return Scene(_vary(rng, image), labels[None] == chosen[:, None, None])


def _regions(labels: Labels, least: int, share: float) -> Int[np.ndarray, " k"]:
    """The labels (not 0) of at least `least` pixels and at most `share` of the image."""
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return np.flatnonzero((areas >= least) & (areas <= share * labels.size))


def _photo(rng: Rng, materials: Materials, size: int) -> tuple[Image, Labels]:
    return _crop(rng, materials.photos[int(rng.integers(len(materials.photos)))], size)


def _pasted(rng: Rng, materials: Materials, size: int) -> tuple[Image, Labels]:
    """One to three regions of other photos on a photo, or on a texture."""
    photos = materials.photos
    if rng.random() < 0.7:
        image, labels = _photo(rng, materials, size)
    else:
        image, labels = _texture(rng, materials), np.zeros((size, size), np.int32)
    image, labels = image.astype(np.float32), labels.copy()
    for k in range(rng.integers(1, 4)):
        cut = _cut_out(rng, photos[int(rng.integers(len(photos)))], size)
        if cut is not None:
            _blend(image, cut[0].astype(np.float32), cut[1], rng.uniform(0.5, 1.5))
            labels[cut[1]] = 1000 + k
    return image.astype(np.uint8), labels


def _cut_out(rng: Rng, photo: Photo, size: int) -> tuple[Image, Bool[np.ndarray, "h w"]] | None:
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


def _shapes(rng: Rng, materials: Materials, size: int) -> tuple[Image, Labels]:
    """One to four random shapes, each made visible in its own way."""
    image = _material(rng, materials, size).astype(np.float32)
    labels = np.zeros((size, size), np.int32)
    for k in range(1, rng.integers(2, 6)):
        mask = shape(rng, size, size)
        _blend(image, _surface(rng, image, materials, size), mask, rng.uniform(0.4, 3.0))
        labels[mask] = k
    return image.astype(np.uint8), labels


def _surface(
    rng: Rng, image: Float[np.ndarray, "h w 3"], materials: Materials, size: int
) -> Float[np.ndarray, "h w 3"]:
    """What a shape looks like: another material, a shadow, a pane, or its own ground displaced."""
    kind = rng.random()
    if kind < 0.5:
        return _material(rng, materials, size).astype(np.float32)
    if kind < 0.7:
        return image * rng.uniform(0.3, 0.75) * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if kind < 0.85:
        share = rng.uniform(0.25, 0.7)
        return (1 - share) * image + share * _material(rng, materials, size)
    moved = np.roll(image, tuple(rng.integers(size // 6, size // 2, 2)), (0, 1))
    return np.clip(moved * rng.uniform(0.8, 1.2) + rng.uniform(-12, 12), 0, 255)


def _material(rng: Rng, materials: Materials, size: int) -> Image:
    if materials.photos and rng.random() < 0.4:
        return _photo(rng, materials, size)[0]
    return _texture(rng, materials)


def _texture(rng: Rng, materials: Materials) -> Image:
    """One of the bank, turned, mirrored, shifted round and with its colour channels permuted."""
    image = np.rot90(materials.textures[int(rng.integers(len(materials.textures)))], int(rng.integers(4)))
    image = image[:, ::-1] if rng.random() < 0.5 else image
    shift = tuple(rng.integers(0, image.shape[0], 2))
    return np.ascontiguousarray(np.roll(image, shift, (0, 1))[..., rng.permutation(3)])


def _blend(
    ground: Float[np.ndarray, "h w 3"], surface: Float[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], blur: float
) -> None:
    """Lay `surface` over `ground` inside `mask`, in place, with an edge of `blur` px."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur)[..., None]
    ground *= 1 - soft
    ground += surface * soft
    np.clip(ground, 0, 255, out=ground)


def _crop(rng: Rng, photo: Photo, size: int) -> tuple[Image, Labels]:
    """A random part of a photo (35 % to 100 % of each side), mirrored half the time, resized to a square."""
    height, width = photo.labels.shape
    side = rng.uniform(0.35, 1.0)
    h, w = (int(n * np.clip(side * rng.uniform(0.85, 1.15), 0.2, 1.0)) for n in (height, width))
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    image, labels = photo.image[y : y + h, x : x + w], photo.labels[y : y + h, x : x + w]
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if w > size else cv2.INTER_LINEAR)
    labels = cv2.resize(labels.astype(np.int16), (size, size), interpolation=cv2.INTER_NEAREST).astype(np.int32)
    return (image[:, ::-1], labels[:, ::-1]) if rng.random() < 0.5 else (image, labels)


def _vary(rng: Rng, image: Image) -> Image:
    """Brightness, contrast, colour cast, grey, blur and noise."""
    x: Float[np.ndarray, "h w 3"] = image.astype(np.float32)
    if rng.random() < 0.15:
        x = np.repeat(x.mean(2, keepdims=True), 3, 2)
    x = (x - 128) * rng.uniform(0.6, 1.4) + 128 + rng.uniform(-35, 35)
    x = x * rng.uniform(0.88, 1.12, 3).astype(np.float32)
    if rng.random() < 0.2:
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6)), np.float32)
    if rng.random() < 0.3:
        x = x + rng.uniform(2, 14) * rng.standard_normal(x.shape, np.float32)
    return np.clip(x, 0, 255).astype(np.uint8)
