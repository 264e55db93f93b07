"""Crisp shadows of several things on cluttered ground, in SBU's raw layout.

`SBU-Test/ShadowImages` holds the pictures (JPEG), `SBU-Test/ShadowMasks` the shadows. The things stand in the picture
or beside it, one sun lights them all, and some are as dark as a shadow. Full shadow takes `contrast` of the light away;
the mask is where more than half of that is gone, but not on the things themselves.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from pydantic import Field

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import scenery, shapes, textures
from uncertsam.data.raw.synthesis.textures import Colour, Mask, Material, Picture, Rng
from uncertsam.data.raw.synthesis.textures import Field as Shade
from uncertsam.data.raw.worlds import WorldParams, frame, save

WORLD = "hard_shadows"


class Params(WorldParams):
    """`contrast`: the share of the light that a full shadow takes away, on average over the pictures."""

    contrast: float = Field(0.7, gt=0, le=0.9)


def generate(root: Path, params: Params) -> None:
    """Write `params.count` pictures and the masks of their shadows below `root`/SBU-Test."""
    for index in range(params.count):
        picture, mask = draw(params, index)
        save(root / "SBU-Test" / "ShadowImages" / f"lssd{index + 1}.jpg", picture)
        save(root / "SBU-Test" / "ShadowMasks" / f"lssd{index + 1}.png", scenery.binary(mask))


def draw(params: Params, index: int) -> tuple[Picture, Mask]:
    """Picture `index` and where its shadows are."""
    rng = numpy_generator(params.seed, WORLD, index)
    height, width = frame(rng, params.size)
    depth = float(np.clip(params.contrast * rng.uniform(0.75, 1.25), 0, 0.95))
    ground = _ground(rng, height, width, depth)
    things, shade = _best(rng, height, width)
    light = scenery.shaded(rng, ground, shade, depth)
    for thing in things:
        light = _standing(rng, light, thing, depth)
    return textures.photograph(rng, np.maximum(light, 0.01)), (shade > 0.5) & ~_union(things, shade.shape)


def _ground(rng: Rng, height: int, width: int, depth: float) -> Colour:
    """Lit ground of several kinds with dark stains, in linear light."""
    ground = scenery.cluttered(rng, height, width, things=0)
    for _ in range(int(rng.integers(1, 4))):
        patch = shapes.place(rng, shapes.silhouette(rng), height, width, float(rng.uniform(0.01, 0.07)), margin=-0.1)
        ground = scenery.stained(rng, ground, patch, depth, Material.draw(rng).muted(0.5))
    ground, _ = scenery.tilted(rng, ground, np.zeros((height, width), bool))
    return scenery.exposed(rng, textures.lit(ground, textures.illumination(rng, height, width)))


def _best(rng: Rng, height: int, width: int) -> tuple[list[Mask], Shade]:
    """The first of up to eight arrangements whose shadow is mostly one part and fills about half of its box."""
    for _ in range(8):
        things, shade = _arrangement(rng, height, width)
        mask = (shade > 0.5) & ~_union(things, shade.shape)
        part = shapes.largest_component(mask)
        if mask.any() and part.sum() > 0.8 * mask.sum() and 0.42 < shapes.fill(part) < 0.75:
            break
    return things, shade


def _arrangement(rng: Rng, height: int, width: int) -> tuple[list[Mask], Shade]:
    """One or two things that stand in the picture, and the shade in [0, 1] of these and of one or two beside it."""
    sun = np.array([rng.uniform(0.3, 1.3) * rng.choice([-1, 1]), rng.uniform(0.25, 0.8) * rng.choice([-1, 1, 1])])
    things = [_thing(rng, height, width) for _ in range(int(rng.integers(1, 3)))]
    casts = [_cast(thing, sun) for thing in things]
    for _ in range(int(rng.integers(1, 3))):
        casts.append(shapes.sprawling(rng, height, width, (0.08, 0.25), margin=float(rng.choice([-0.08, 0.02]))))
    return things, scenery.penumbra(rng, _union(casts, (height, width)), softest=(0.7, 1.4))


def _thing(rng: Rng, height: int, width: int) -> Mask:
    kinds = ("creature", "polygon", "cluster", "cloud", "blob")
    return shapes.place(rng, shapes.silhouette(rng, kinds), height, width, float(rng.uniform(0.02, 0.06)), 0.05)


def _cast(thing: Mask, sun: Float[np.ndarray, " 2"]) -> Mask:
    """The shadow of a flat thing that stands upright on its lowest pixel; `sun`: where one unit of height falls to."""
    height, width = thing.shape
    foot = float(np.flatnonzero(thing.any(axis=1)).max(initial=0))
    matrix = np.array([[1, -sun[0], sun[0] * foot], [0, -sun[1], foot * (1 + sun[1])]])
    return cv2.warpAffine(thing.astype(np.float32), matrix, (width, height)) > 0.5


def _standing(rng: Rng, light: Colour, thing: Mask, depth: float) -> Colour:
    """Put a thing into the scene; half of them are as dark as a shadow."""
    if not thing.any():
        return light
    if rng.random() < 0.5:
        light = np.where(thing[..., None], light * np.float32(1 - depth * rng.uniform(0.7, 1.1)), light)
    return scenery.hidden(rng, light, thing, Material.draw(rng).muted(0.5), 0.6)


def _union(masks: list[Mask], shape: tuple[int, int]) -> Mask:
    return np.logical_or.reduce([np.zeros(shape, bool), *masks])
