"""Lights that dazzle the lens at night, in the layout of Flare7K's real test set.

`test_data/real/{input,gt,mask}` hold the picture, the same without the flare (its lamps still burn), and the mask:
glare is yellow, streaks are red, light sources blue, all else black (PNG). A flare is light added to a dark scene; its
mask is where it adds more than a set share.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import scenery, shapes, textures
from uncertsam.data.raw.synthesis.textures import Classes, Colour, Field, Mask, Picture, Rng
from uncertsam.data.raw.worlds import WorldParams, frame, save

WORLD = "flares"
GLARE, STREAK, SOURCE = 1, 2, 3
COLOURS = np.array([[0, 0, 0], [255, 255, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
VISIBLE = 0.3  # of a glare's or a streak's strength: what is brighter belongs to its mask


Params = WorldParams


@dataclass(frozen=True)
class Flare:
    """Strengths in [0, 1] of the glare and of the streaks about one lamp."""

    source: Mask
    glare: Field
    streaks: Field


def generate(root: Path, params: Params) -> None:
    """Write `params.count` pictures with one or two flares, without them, and their masks."""
    for index in range(params.count):
        picture, clean, classes = draw(params, index)
        for part, image in ("input", picture), ("gt", clean), ("mask", COLOURS[classes]):
            save(root / "test_data" / "real" / part / f"{part}_{index + 1:06d}.png", image)


def draw(params: Params, index: int) -> tuple[Picture, Picture, Classes]:
    """Picture `index`, the same without flares, and per pixel 0, GLARE, STREAK or SOURCE."""
    rng = numpy_generator(params.seed, WORLD, index)
    height, width = frame(rng, params.size)
    dark, classes = _night(rng, height, width), np.zeros((height, width), np.uint8)
    light = dark
    for _ in range(int(rng.choice([1, 1, 1, 2]))):
        flare = _flare(rng, height, width)
        dark = np.where(flare.source[..., None], np.float32(1), dark)
        light = _with_flare(rng, light, flare)
        lit = shapes.largest_component(flare.glare > VISIBLE)
        classes[lit & (classes == 0)] = GLARE
        classes[(flare.streaks > np.maximum(VISIBLE, flare.glare)) & (classes != SOURCE)] = STREAK
        classes[flare.source] = SOURCE
    pictures = [textures.photograph(numpy_generator(params.seed, WORLD, "camera", index), x) for x in (light, dark)]
    return pictures[0], pictures[1], classes


def _night(rng: Rng, height: int, width: int) -> Colour:
    """A dark place with lit windows and far lamps, which no mask holds."""
    scene = scenery.cluttered(rng, height, width, things=int(rng.integers(2, 6))) * np.float32(rng.uniform(0.03, 0.25))
    glow = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(3, 14))):
        x, y, radius = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(1, max(3, width // 50)))
        if rng.random() < 0.5:
            cv2.rectangle(glow, (x, y), (x + 2 * radius, y + 3 * radius), int(rng.integers(60, 255)), -1)
        else:
            cv2.circle(glow, (x, y), radius, int(rng.integers(60, 255)), -1)
    lamps = cv2.GaussianBlur(glow.astype(np.float32) / 255, (0, 0), 0.8)
    halo = 3 * cv2.GaussianBlur(lamps, (0, 0), width / 40)
    return np.clip(scene + (lamps + 0.3 * halo)[..., None] * _warm(rng), 0, 1)


def _warm(rng: Rng) -> Colour:
    """The colour of a lamp: orange to bluish white."""
    return (np.array([1, 0.85, 0.65], np.float32) ** np.float32(rng.uniform(-0.3, 1.8)))[None, None]


def _flare(rng: Rng, height: int, width: int) -> Flare:
    """A lamp of odd shape somewhere within, with glare of uneven reach about it and perhaps a streak."""
    size = max(height, width)
    share = max(float(rng.uniform(0.003, 0.012)), 40 / (height * width))
    drawn = shapes.silhouette(rng, ("blob", "polygon", "cluster"))
    source = shapes.place(rng, drawn, height, width, share, margin=0.15)
    ys, xs = np.nonzero(source)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - np.float32(xs.mean()), y - np.float32(ys.mean())
    glare = _glare(rng, np.hypot(x, y), np.arctan2(y, x), size * float(rng.uniform(0.1, 0.24)))
    streaks = np.zeros((height, width), np.float32)
    if rng.random() < 0.4:
        upright = np.pi / 2 * float(rng.integers(2))
        streaks = _streak(rng, x, y, upright + float(rng.normal(0, 0.08)), size * float(rng.uniform(0.2, 0.4)))
    return Flare(source, glare * (0.7 + 0.3 * np.tanh(2 + textures.noise(rng, height, width, 30.0))), streaks)


def _glare(rng: Rng, radius: Field, angle: Field, reach: float) -> Field:
    """Strength that falls off from the lamp, farther in some directions than in others: rays of many widths."""
    steps = 720
    rays = np.zeros(steps, np.float32)
    for width, strength in ((60, 0.45), (14, 0.35), (4, 0.2)):
        raw = np.resize(rng.normal(size=steps), (1, steps)).astype(np.float32)
        rays += strength * textures.standard(cv2.GaussianBlur(np.tile(raw, 3), (0, 0), width))[0, steps : 2 * steps]
    index = ((angle + np.pi) * np.float32(steps / (2 * np.pi))).astype(np.int64) % steps
    far = np.float32(reach) * np.exp(np.clip(0.4 * rays, -0.6, 0.7)).astype(np.float32)[index]
    return np.exp(-((radius / far) ** np.float32(rng.uniform(1.3, 3.0))))


def _streak(rng: Rng, x: Field, y: Field, turn: float, reach: float) -> Field:
    """Strength of a narrow line of light through the lamp, which thins out to both ends."""
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    width = np.float32(reach * rng.uniform(0.05, 0.1))
    return np.exp(-((np.abs(across) / width) ** 1.5) - (np.abs(along) / np.float32(reach)) ** 2).astype(np.float32)


def _with_flare(rng: Rng, light: Colour, flare: Flare) -> Colour:
    """The scene with the flare's light added, and a faint veil far round it."""
    colour = _warm(rng)
    veil = 0.08 * cv2.GaussianBlur(flare.glare, (0, 0), flare.glare.shape[1] / 12)
    added = np.float32(rng.uniform(0.25, 0.7)) * flare.glare + np.float32(rng.uniform(0.3, 0.7)) * flare.streaks + veil
    lamp = cv2.GaussianBlur(flare.source.astype(np.float32), (0, 0), 1.0)
    return np.clip(light + added[..., None] * colour + lamp[..., None], 0, 1)
