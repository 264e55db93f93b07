"""What training scenes are made of: photos with regions, and a bank of textures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis.textures import texture

Rng = np.random.Generator
Image = UInt8[np.ndarray, "h w 3"]
Light = Float[np.ndarray, "h w 3"]
Mask = Bool[np.ndarray, "h w"]
Labels = Int[np.ndarray, "h w"]


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo and its regions: 0 is unlabelled, every other value one region."""

    image: Image
    labels: Labels


@dataclass(frozen=True)
class Materials:
    """What scenes are made of: photos with regions, and a bank of square textures (drawing one anew is slow).

    weights: how often each photo is drawn, relative to the others; none: all alike. whole: share of the draws that show
    a whole picture and not a part of it.
    """

    photos: Sequence[LabelledPhoto]
    textures: Sequence[Image]
    weights: Sequence[float] = ()
    whole: float = 0.0

    @cached_property
    def shares(self) -> Float[np.ndarray, " n"]:
        """The cumulated weights, from above 0 to 1."""
        total = np.cumsum(self.weights or np.ones(len(self.photos)))
        return total / total[-1]


def draw_textures(seed: int, count: int, size: int) -> list[Image]:
    return [texture(numpy_generator(seed, "texture", k), size, size) for k in range(count)]


def material(rng: Rng, materials: Materials, size: int) -> Image:
    if materials.photos and rng.random() < 0.4:
        return crop(rng, any_photo(rng, materials), size)[0]
    return any_texture(rng, materials, size)


def any_texture(rng: Rng, materials: Materials, size: int) -> Image:
    """One of the bank as a square of `size` px, turned, mirrored, shifted round, its colour channels permuted."""
    image = np.rot90(materials.textures[int(rng.integers(len(materials.textures)))], int(rng.integers(4)))
    image = image[:, ::-1] if rng.random() < 0.5 else image
    shift = tuple(rng.integers(0, image.shape[0], 2))
    image = np.ascontiguousarray(np.roll(image, shift, (0, 1))[..., rng.permutation(3)])
    return image if len(image) == size else np.asarray(cv2.resize(image, (size, size)))


def blend(
    ground: Float[np.ndarray, "h w 3"], surface: Float[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], blur: float
) -> None:
    """Lay `surface` over `ground` inside `mask`, in place, with an edge of `blur` px."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur)[..., None]
    ground *= 1 - soft
    ground += surface * soft
    np.clip(ground, 0, 255, out=ground)


def crop(rng: Rng, photo: LabelledPhoto, size: int, whole: float = 0.0) -> tuple[Image, Labels]:
    """A random part of a photo (35 % to 100 % of each side), mirrored half the time, resized to a square.

    whole: share of the draws that give the whole photo.
    """
    height, width = photo.labels.shape
    side = 1.0 if rng.random() < whole else rng.uniform(0.35, 1.0)
    h, w = (int(n * np.clip(side * rng.uniform(0.85, 1.15), 0.2, 1.0)) if side < 1 else n for n in (height, width))
    y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    image, labels = photo.image[y : y + h, x : x + w], photo.labels[y : y + h, x : x + w]
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if w > size else cv2.INTER_LINEAR)
    labels = cv2.resize(labels.astype(np.int16), (size, size), interpolation=cv2.INTER_NEAREST).astype(np.int32)
    return (image[:, ::-1], labels[:, ::-1]) if rng.random() < 0.5 else (image, labels)


def any_photo(rng: Rng, materials: Materials) -> LabelledPhoto:
    """One of the photos by their weights; there has to be one."""
    return materials.photos[int(np.searchsorted(materials.shares, rng.random(), "right"))]
