"""Glass things and panes that mix what is behind them with a reflection, in Trans10K's raw layout.

`test/easy` and `test/hard` hold `images` (JPEG) and `masks`: vessels ("things") are red, windows and sheets ("stuff")
white, all else black. Opaque things stand before some of them. What is hard lets more light through.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from pydantic import Field

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import scenery, shapes, textures
from uncertsam.data.raw.synthesis.textures import Classes, Colour, Mask, Material, Picture, Rng
from uncertsam.data.raw.worlds import WorldParams, frame, save

WORLD = "panes"
THING, STUFF = 1, 2
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [255, 255, 255]], np.uint8)  # nothing, things, stuff
CLEAR = {"easy": (0.45, 0.75), "hard": (0.6, 0.85)}  # the share of light from behind


class Params(WorldParams):
    """`count`: two at least, for there are two folders."""

    count: int = Field(24, ge=2, le=100_000)


def generate(root: Path, params: Params) -> None:
    """Write `params.count` pictures and their masks below `root`/test, easy and hard by turns."""
    for index in range(params.count):
        picture, classes = draw(params, index)
        folder = root / "test" / _level(index)
        save(folder / "images" / f"{index + 1}.jpg", picture)
        save(folder / "masks" / f"{index + 1}_mask.png", COLOURS[classes])


def draw(params: Params, index: int) -> tuple[Picture, Classes]:
    """Picture `index`, and per pixel 0, THING or STUFF."""
    rng = numpy_generator(params.seed, WORLD, index)
    height, width = frame(rng, params.size)
    scene = scenery.cluttered(rng, height, width, things=int(rng.integers(2, 5)))
    classes = np.zeros((height, width), np.uint8)
    for kind in rng.choice([THING, STUFF], int(rng.integers(1, 3))):
        mask = _vessel(rng, height, width) if kind == THING else _pane(rng, height, width)
        if kind == STUFF and rng.random() < 0.5:
            scene = _framed(rng, scene, mask)
        scene = _gleaming(rng, scenery.glazed(rng, scene, mask, CLEAR[_level(index)]), mask, bool(kind == THING))
        classes[mask] = kind
    scene, classes = _hidden_in_part(rng, scene, classes)
    return scenery.pictured(rng, scene), classes


def _level(index: int) -> str:
    return ("easy", "hard")[index % 2]


def _pane(rng: Rng, height: int, width: int) -> Mask:
    """A sheet of glass seen from a slant, often with a broken corner; covers 12 % to 40 % of the picture."""
    sides = np.array([rng.uniform(0.6, 1.0), rng.uniform(0.6, 1.4)])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * sides * (1 + rng.uniform(-0.3, 0.3, (4, 2)))
    corners += sides * rng.uniform(-0.5, 0.5) * corners[:, :1] * [0, 1]
    if rng.random() < 0.65:
        broken = int(rng.integers(4))
        crack = rng.uniform(-0.4, 0.6, (2, 1)) * corners[[broken - 1, (broken + 1) % 4]]
        corners = np.concatenate([corners[:broken], crack, corners[broken + 1 :]])
    return _outlined(rng, corners, height, width, float(rng.uniform(0.12, 0.4)))


def _vessel(rng: Rng, height: int, width: int) -> Mask:
    """A bottle, a goblet, a vase: a smooth outline turned about an axis that leans a little."""
    t = np.linspace(0, 1, 200)
    profile = np.interp(t, [0, 0.1, 0.35, 0.6, 0.9, 1], rng.uniform(0.12, 0.6, 6) * [1, 1, 1.5, 1, 1, 1.3])
    radius = cv2.GaussianBlur(profile[None], (0, 0), 12, borderType=cv2.BORDER_REPLICATE)[0] * rng.uniform(0.5, 1.0)
    lean = rng.normal(0, 0.25) * t
    outline = np.concatenate([np.c_[lean + radius, 2 * t], np.c_[lean - radius, 2 * t][::-1]])
    return _outlined(rng, outline, height, width, float(rng.uniform(0.08, 0.22)))


def _outlined(rng: Rng, outline: Float[np.ndarray, "n 2"], height: int, width: int, share: float) -> Mask:
    """The inside of an outline, scaled to cover `share` of the picture and put at a random place within it."""
    area = cv2.contourArea(outline.astype(np.float32))
    extent = np.ptp(outline, axis=0)
    scale = min(np.sqrt(share * height * width / area), *(0.95 * np.array([width, height]) / extent))
    corner = rng.uniform(0.02, 0.99 - scale * extent / [width, height]) * [width, height]
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint(corner + scale * (outline - outline.min(axis=0))).astype(np.int32)], 1)
    return shapes.largest_component(canvas > 0)


def _framed(rng: Rng, scene: Colour, mask: Mask) -> Colour:
    """A frame of one stuff round the pane."""
    reach = int(rng.integers(3, 9))
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
    bars = Material.draw(rng).muted(0.9).render(rng, *mask.shape)
    edge = cv2.GaussianBlur((wide & ~mask).astype(np.float32), (0, 0), 0.8)[..., None]
    return scene + edge * (bars - scene)


def _gleaming(rng: Rng, scene: Colour, mask: Mask, rounded: bool) -> Colour:
    """Highlights: a bright and a dark rim where glass is rounded, oblique streaks where it is flat."""
    height, width = mask.shape
    if rounded:
        bent = scenery.lit_from(rng, cv2.GaussianBlur(scenery.dome(mask, 0.08 * np.sqrt(mask.sum())), (0, 0), 1.5))
        gleam = 0.7 * np.maximum(bent, 0) ** 2 - 0.25 * np.maximum(-bent, 0)
    else:
        gleam = 0.3 * np.maximum(textures.noise(rng, height, width, 20.0, float(rng.uniform(0, np.pi)), 10.0) - 0.8, 0)
    return np.clip(scene + (gleam * mask * np.float32(rng.uniform(0.4, 1.0)))[..., None], 0, 1)


def _hidden_in_part(rng: Rng, scene: Colour, classes: Classes) -> tuple[Colour, Classes]:
    """Put up to two opaque things before the glass, unless they would leave little of it."""
    height, width = classes.shape
    for _ in range(int(rng.integers(0, 3))):
        drawn, share = shapes.silhouette(rng), float(rng.uniform(0.02, 0.1))
        thing = shapes.place(rng, drawn, height, width, share, margin=-0.05)
        left = np.where(thing, np.uint8(0), classes)
        if thing.any() and np.count_nonzero(left) > 0.6 * np.count_nonzero(classes):
            scene, classes = scenery.hidden(rng, scene, thing, Material.draw(rng), 0.8), left
    return scene, classes
