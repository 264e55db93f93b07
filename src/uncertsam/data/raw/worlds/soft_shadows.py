"""Soft shadows over textured ground with dark stains, in ISTD's raw layout.

`test/test_A` holds the picture, `test_B` the mask, `test_C` the same picture without its shadow; names are
`<scene>-<view>.png`. Full shadow takes `contrast` of the light away; the mask is where more than half of that is gone.
"""

from pathlib import Path

import cv2
import numpy as np
from pydantic import Field

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import scenery, shapes, textures
from uncertsam.data.raw.synthesis.textures import Colour, Mask, Material, Picture, Rng
from uncertsam.data.raw.synthesis.textures import Field as Shade
from uncertsam.data.raw.worlds import WorldParams, frame, save

WORLD = "soft_shadows"


class Params(WorldParams):
    """`contrast`: the share of the light that a full shadow takes away, on average over the pictures."""

    contrast: float = Field(0.55, gt=0, le=0.9)


def generate(root: Path, params: Params) -> None:
    """Write `params.count` scenes with shadows, their masks and the shadow-free pictures below `root`/test."""
    for index in range(params.count):
        name = "{}-{}.png".format(*_scene_and_view(index))
        shadowed, mask, free = draw(params, index)
        for part, image in ("A", shadowed), ("B", scenery.binary(mask)), ("C", free):
            save(root / "test" / f"test_{part}" / name, image)


def draw(params: Params, index: int) -> tuple[Picture, Mask, Picture]:
    """Picture `index`, where its shadows are, and the shadow-free picture."""
    scene, _ = _scene_and_view(index)
    depth_rng = numpy_generator(params.seed, WORLD, "depth", scene)
    depth = float(np.clip(params.contrast * depth_rng.uniform(0.75, 1.25), 0, 0.95))
    ground, stains = _ground(numpy_generator(params.seed, WORLD, "scene", scene), params.size, depth)
    rng = numpy_generator(params.seed, WORLD, index)
    shade = _shadows(rng, stains)
    lights = scenery.shaded(rng, ground, shade, depth), ground
    shadowed, free = (_camera(numpy_generator(params.seed, WORLD, "camera", index), light) for light in lights)
    return shadowed, shade > 0.5, free


def _scene_and_view(index: int) -> tuple[int, int]:
    """Every fourth scene has two views: the same ground under another shadow."""
    block, place = divmod(index, 5)
    return 4 * block + min(place, 3) + 1, 1 + (place == 4)


def _camera(rng: Rng, light: Colour) -> Picture:
    """A photograph that went through JPEG once, as ISTD's did before they became PNG."""
    photo = textures.photograph(rng, light)
    _, packed = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))


def _ground(rng: Rng, size: int, depth: float) -> tuple[Colour, Mask]:
    """Lit ground in linear light, and where stains about as dark as the shadow lie on it."""
    height, width = frame(rng, size)
    stuff = Material.draw(rng).muted(float(rng.uniform(0.3, 0.7)))
    ground = stuff.render(rng, height, width)
    if rng.random() < 0.4:
        beside = scenery.half_plane(rng, height, width)[..., None]
        ground = np.where(beside, Material.draw(rng).muted(0.5).render(rng, height, width), ground)
    dark = np.zeros((height, width), bool)
    for _ in range(int(rng.integers(2, 5))):
        patch = shapes.place(rng, shapes.silhouette(rng), height, width, float(rng.uniform(0.01, 0.06)), margin=-0.1)
        ground = scenery.stained(rng, ground, patch, depth, stuff)
        dark |= patch
    ground, dark = scenery.tilted(rng, ground, dark)
    light = textures.illumination(rng, height, width) * textures.illumination(rng, height, width)
    ground = textures.lit(ground, light)
    return np.clip(scenery.exposed(rng, ground), 0.01, 1), dark


def _shadows(rng: Rng, stains: Mask) -> Shade:
    """One shadow or two apart from each other: the share of the sun that is hidden, in [0, 1]."""
    shade = _shadow(rng, stains, np.zeros(stains.shape, bool))
    if rng.random() < 0.35:
        near = cv2.dilate((shade > 0.02).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        shade = np.maximum(shade, _shadow(rng, stains, near))
    return shade


def _shadow(rng: Rng, stains: Mask, taken: Mask) -> Shade:
    """Of up to three fitting shadows the one whose bounding box holds most stains; empty where none of 16 fits."""
    height, width = stains.shape
    fitting: list[tuple[int, Shade]] = []
    for _ in range(16):
        occluder = shapes.sprawling(rng, height, width, (0.05, 0.22), margin=float(rng.choice([-0.08, 0.03])))
        if (occluder & taken).any():
            continue
        shade = scenery.penumbra(rng, occluder)
        mask = shade > 0.5
        if shapes.sprawls(mask) and not (mask & taken).any():
            fitting.append((scenery.held(stains & ~mask, mask), shade))
        if len(fitting) == 3:
            break
    return max(fitting, key=lambda f: f[0], default=(0, np.zeros((height, width), np.float32)))[1]
