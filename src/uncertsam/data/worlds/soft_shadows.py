"""Soft shadows over textured ground with dark stains, in ISTD's raw layout.

`test/test_A` holds the picture, `test_B` the mask, `test_C` the same picture without its shadow; names are
`<scene>-<view>.png`. Full shadow takes `contrast` of the light away; the mask is where more than half of that is gone.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from pydantic import Field

from uncertsam.data.worlds import WorldParams, frame, save, shapes, textures
from uncertsam.data.worlds.textures import Colour, Material
from uncertsam.rng import numpy_generator

WORLD = "soft_shadows"
Shade = Float32[np.ndarray, "h w"]
Mask = Bool[np.ndarray, "h w"]


class Params(WorldParams):
    """`contrast`: the share of the light that a full shadow takes away, on average over the pictures."""

    contrast: float = Field(0.55, gt=0, le=0.9)


def generate(root: Path, params: Params) -> None:
    """Write `params.count` scenes with shadows, their masks and the shadow-free pictures below `root`/test."""
    for index in range(params.count):
        scene, view = _scene_and_view(index)
        shadowed, mask, free = _picture(params, index, scene)
        for part, image in ("A", shadowed), ("B", mask), ("C", free):
            save(root / "test" / f"test_{part}" / f"{scene}-{view}.png", image)


def _scene_and_view(index: int) -> tuple[int, int]:
    """Every fourth scene has two views: the same ground under another shadow."""
    block, place = divmod(index, 5)
    return 4 * block + min(place, 3) + 1, 1 + (place == 4)


def _picture(
    params: Params, index: int, scene: int
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w 3"]]:
    """Picture, mask (0 or 255) and shadow-free picture."""
    depth_rng = numpy_generator(params.seed, WORLD, "depth", scene)
    depth = float(np.clip(params.contrast * depth_rng.uniform(0.75, 1.25), 0, 0.95))
    ground, stains = _ground(numpy_generator(params.seed, WORLD, "scene", scene), params.size, depth)
    rng = numpy_generator(params.seed, WORLD, index)
    shade = _shadows(rng, stains)
    # the sky still reaches a shadow, so blue is attenuated least
    cold = rng.uniform(0.0, 0.12)
    attenuation = np.float32(depth) * np.array([1 + cold, 1, 1 - cold], np.float32)
    shadowed, free = (
        _camera(numpy_generator(params.seed, WORLD, "camera", index), light)
        for light in (ground * (1 - shade[..., None] * attenuation), ground)
    )
    return shadowed, (shade > 0.5).astype(np.uint8) * np.uint8(255), free


def _camera(rng: np.random.Generator, light: Colour) -> UInt8[np.ndarray, "h w 3"]:
    """A photograph that went through JPEG once, as ISTD's did before they became PNG."""
    photo = textures.photograph(rng, light)
    _, packed = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))


def _ground(rng: np.random.Generator, size: int, depth: float) -> tuple[Colour, Mask]:
    """Lit ground in linear light, and where stains about as dark as the shadow lie on it."""
    height, width = frame(rng, size)
    stuff = Material.draw(rng).muted(float(rng.uniform(0.3, 0.7)))
    ground = stuff.render(rng, height, width)
    if rng.random() < 0.4:
        beside = _half_plane(rng, height, width)[..., None]
        ground = np.where(beside, Material.draw(rng).muted(0.5).render(rng, height, width), ground)
    dark = np.zeros((height, width), bool)
    for _ in range(int(rng.integers(2, 5))):
        patch = shapes.place(rng, shapes.silhouette(rng), height, width, float(rng.uniform(0.01, 0.06)), margin=-0.1)
        ground = _stained(rng, ground, patch, depth, stuff)
        dark |= patch
    ground, dark = _tilted(rng, ground, dark)
    light = textures.illumination(rng, height, width) * textures.illumination(rng, height, width)
    ground = textures.lit(ground, light)
    exposure = rng.uniform(0.55, 0.95) / np.percentile(ground, 98)
    return np.clip(ground * np.float32(exposure), 0.01, 1), dark


def _half_plane(rng: np.random.Generator, height: int, width: int) -> Mask:
    """One side of a random, slightly uneven line: a kerb, the foot of a wall."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width] - rng.uniform(0.2, 0.8, (2, 1, 1)) * [[[height]], [[width]]]
    uneven = rng.uniform(0, 4) * textures.noise(rng, height, width, 40.0)
    return (np.cos(angle) * x + np.sin(angle) * y + uneven) > 0


def _stained(rng: np.random.Generator, ground: Colour, patch: Mask, depth: float, stuff: Material) -> Colour:
    """A wet or dirty patch of the same ground, or a thing of other stuff, as dark as the shadow or nearly."""
    height, width = patch.shape
    gain = 1 - depth * rng.uniform(0.6, 1.3)
    if rng.random() < 0.6:
        spot = ground * np.float32(gain) * (1 + rng.normal(0, 0.06, 3)).astype(np.float32)
    else:
        other = Material.draw(rng) if rng.random() < 0.5 else stuff.turned(float(rng.uniform(0.5, 2.5)), 0.7)
        spot = other.render(rng, height, width)
        spot = spot * np.float32(gain * ground[patch].sum() / (spot[patch].sum() + 1e-3))
    soft = cv2.GaussianBlur(patch.astype(np.float32), (0, 0), float(np.exp(rng.uniform(-0.7, 1.5))))
    return ground + soft[..., None] * (np.clip(spot, 0, 1) - ground)


def _tilted(rng: np.random.Generator, ground: Colour, dark: Mask) -> tuple[Colour, Mask]:
    """See the ground from a slant: the near edge is up to twice as large as the far one."""
    height, width = dark.shape
    near, roll = rng.uniform(0, 0.25) * width, rng.uniform(-0.05, 0.05) * height
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[0, roll], [width, -roll], [width - near, height], [near, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(seen, whole)
    warped = [
        cv2.warpPerspective(layer, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        for layer in (ground, dark.astype(np.float32))
    ]
    return np.clip(warped[0], 0, 1), warped[1] > 0.5


def _shadows(rng: np.random.Generator, stains: Mask) -> Shade:
    """One shadow or two apart from each other: the share of the sun that is hidden, in [0, 1]."""
    shade = _shadow(rng, stains, np.zeros(stains.shape, bool))
    if rng.random() < 0.35:
        near = cv2.dilate((shade > 0.02).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        shade = np.maximum(shade, _shadow(rng, stains, near))
    return shade


def _shadow(rng: np.random.Generator, stains: Mask, taken: Mask) -> Shade:
    """Of up to three fitting shadows the one whose bounding box holds most stains; empty where none of 16 fits."""
    height, width = stains.shape
    fitting: list[tuple[int, Shade]] = []
    for _ in range(16):
        occluder = shapes.sprawling(rng, height, width, (0.05, 0.22), margin=float(rng.choice([-0.08, 0.03])))
        if (occluder & taken).any():
            continue
        shade = _penumbra(rng, occluder)
        mask = shade > 0.5
        if shapes.sprawls(mask) and not (mask & taken).any():
            fitting.append((_held(stains & ~mask, mask), shade))
        if len(fitting) == 3:
            break
    return max(fitting, key=lambda f: f[0], default=(0, np.zeros((height, width), np.float32)))[1]


def _held(other: Mask, mask: Mask) -> int:
    """How many pixels of `other` are in the bounding box of the mask."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return int(other[y : y + height, x : x + width].sum())


def _penumbra(rng: np.random.Generator, occluder: Mask) -> Shade:
    """Blur a silhouette with a radius that grows along a direction: sharp at the foot, soft far from the ground."""
    height, width = occluder.shape
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    along = np.clip(0.5 + 0.6 * (np.cos(angle) * x + np.sin(angle) * y), 0, 1)
    reach = max(height, width) / 320
    radii = reach * np.geomspace(0.6, rng.uniform(3, 9), 5)
    layers = [cv2.GaussianBlur(occluder.astype(np.float32), (0, 0), r, borderType=cv2.BORDER_REPLICATE) for r in radii]
    place = along * (len(layers) - 1)
    weights = [np.clip(1 - np.abs(place - k), 0, 1) for k in range(len(layers))]
    return sum(w * layer for w, layer in zip(weights, layers, strict=True)).astype(np.float32)
