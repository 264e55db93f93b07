"""Thin things on like ground, in COIFT's raw layout: `images` (JPEG) and `masks`, one thing per picture.

Twigs, worms, wire figures, and insects with legs and feelers; some are made of nearly the stuff that they lie on.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float
from pydantic import Field

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import scenery, shapes, textures
from uncertsam.data.raw.synthesis.textures import Classes as Canvas
from uncertsam.data.raw.synthesis.textures import Colour, Mask, Material, Picture, Rng
from uncertsam.data.raw.worlds import WorldParams, frame, save

WORLD = "thin_structures"
CANVAS = 512  # things are drawn at this size, then scaled and turned into place
Points = Float[np.ndarray, "n 2"]


class Params(WorldParams):
    """`contrast`: how far a thing's tone, shading and grain are from its ground's; 0 would hide it wholly."""

    contrast: float = Field(1.2, gt=0, le=2)


def generate(root: Path, params: Params) -> None:
    """Write `params.count` pictures and the masks of their things."""
    for index in range(params.count):
        picture, mask = draw(params, index)
        save(root / "images" / f"{index + 1:04d}.jpg", picture)
        save(root / "masks" / f"{index + 1:04d}.png", scenery.binary(mask))


def draw(params: Params, index: int) -> tuple[Picture, Mask]:
    """Picture `index` and its thing."""
    rng = numpy_generator(params.seed, WORLD, index)
    height, width = frame(rng, params.size)
    ground = Material.draw(rng).muted(0.5)
    scene = ground.render(rng, height, width)
    for _ in range(int(rng.integers(1, 4))):  # what lies about is as thin, and blurred: it is out of focus
        scene = _behind(rng, scene)
    stuff = ground.turned(1.0, 0.5) if rng.random() < 0.3 else Material.draw(rng).muted(0.3)
    mask = _thing(rng, height, width)
    scene = scenery.hidden(rng, scene, mask, stuff, params.contrast, fade=1.2)
    return scenery.pictured(rng, scene), mask


def _behind(rng: Rng, scene: Colour) -> Colour:
    """Another thin thing, out of focus."""
    height, width = scene.shape[:2]
    other = _thing(rng, height, width).astype(np.float32)
    soft = cv2.GaussianBlur(other, (0, 0), float(rng.uniform(1.5, 5)))
    return np.clip(textures.lit(scene, 1 + np.float32(rng.uniform(-0.5, 0.5)) * soft), 0, 1)


def _thing(rng: Rng, height: int, width: int) -> Mask:
    """A thin thing that spans half the picture or more."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    KINDS[int(rng.integers(len(KINDS)))](rng, canvas)
    drawn = shapes.crop(shapes.largest_component(canvas > 0))
    return shapes.place(rng, drawn, height, width, float(rng.uniform(0.1, 0.22)), margin=0.03)


def _stroke(canvas: Canvas, path: Points, start: float, end: float) -> None:
    """A line along a path, `start` px thick at first and `end` px at last."""
    points = np.rint(path).astype(int).tolist()
    for k, (a, b) in enumerate(pairwise(points)):
        cv2.line(canvas, a, b, 1, max(1, round(start + (end - start) * k / len(points))))


def _winding(rng: Rng, start: Float[np.ndarray, " 2"], heading: float, length: float, rough: float) -> Points:
    """A path of 30 steps whose heading wanders."""
    turns = heading + np.cumsum(rng.normal(0, rough, 30))
    steps = np.stack([np.cos(turns), np.sin(turns)], axis=-1) * length / 30
    return np.asarray(start + np.cumsum(np.concatenate([np.zeros((1, 2)), steps]), axis=0))


def _twig(rng: Rng, canvas: Canvas) -> None:
    """A stem that branches twice, perhaps with small leaves."""
    stem = _winding(rng, np.array([20.0, CANVAS / 2]), 0.0, 450.0, 0.06)
    _stroke(canvas, stem, rng.uniform(14, 26), 6.0)
    for _ in range(int(rng.integers(6, 13))):
        at, side = int(rng.integers(3, 28)), rng.choice([-1, 1])
        branch = _winding(rng, stem[at], float(side * rng.uniform(0.4, 1.2)), rng.uniform(80, 220), 0.08)
        _stroke(canvas, branch, 11.0, 5.0)
        for tip in branch[rng.integers(8, 31, int(rng.integers(0, 4)))]:
            twig = _winding(rng, tip, float(rng.uniform(-1.5, 1.5)), rng.uniform(20, 80), 0.1)
            _stroke(canvas, twig, 6.0, 5.0)
            axes = (int(rng.integers(14, 34)), int(rng.integers(6, 14)))
            cv2.ellipse(canvas, np.rint(twig[-1]).astype(int).tolist(), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)


def _insect(rng: Rng, canvas: Canvas) -> None:
    """A long body, six jointed legs and two feelers."""
    body = _winding(rng, np.array([130.0, CANVAS / 2]), 0.0, 250.0, 0.03)
    thick = float(rng.uniform(28, 52))
    for k, at in enumerate(body):
        waist = 0.55 + 0.45 * np.sin(k / 30 * np.pi * rng.uniform(1.9, 2.1)) ** 2
        cv2.circle(canvas, np.rint(at).astype(int).tolist(), int(thick * waist), 1, -1)
    for side in (-1, 1):
        for at in (8, 14, 20):
            knee = np.add(body[at], [rng.uniform(-60, 60), side * rng.uniform(50, 100)])
            foot = np.add(knee, [rng.uniform(-80, 80), side * rng.uniform(20, 100)])
            _stroke(canvas, np.stack([body[at], knee]), 13.0, 11.0)
            _stroke(canvas, np.stack([knee, foot]), 10.0, 7.0)
        _stroke(canvas, _winding(rng, body[-1], side * 0.5, rng.uniform(100, 200), 0.06), 8.0, 6.0)


def _worm(rng: Rng, canvas: Canvas) -> None:
    """One long thing, bent or coiled."""
    curl = np.linspace(0, rng.uniform(2, 7), 60) + np.cumsum(rng.normal(0, 0.12, 60))
    path = np.cumsum(np.stack([np.cos(curl), np.sin(curl)], axis=-1) * np.linspace(0.5, 1.5, 60)[:, None], axis=0)
    path = (path - path.min(axis=0)) / np.ptp(path, axis=0).max() * 0.85 * CANVAS + 0.07 * CANVAS
    thick = float(rng.uniform(28, 55))
    _stroke(canvas, path, thick, thick / 2)


def _wires(rng: Rng, canvas: Canvas) -> None:
    """Rings and bars that hang together, like a bicycle or a fence."""
    centres = rng.uniform(120, CANVAS - 120, (int(rng.integers(3, 6)), 2))
    thick = float(rng.integers(10, 22))
    for at in centres:
        cv2.circle(canvas, np.rint(at).astype(int).tolist(), int(rng.integers(40, 110)), 1, int(thick))
    for a, b in pairwise(centres):
        _stroke(canvas, np.stack([a, b + rng.normal(0, 30, 2), b]), thick, thick)


KINDS: tuple[Callable[[Rng, Canvas], None], ...] = (_twig, _insect, _insect, _worm, _wires)
