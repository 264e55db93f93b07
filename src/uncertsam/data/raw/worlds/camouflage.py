"""Objects made of the stuff that they lie on, in COD10K-v3's raw layout.

`Test/Image` holds the pictures (JPEG), `Test/GT_Object` the objects as one mask, `Test/GT_Instance` each in its own
colour on black. An object is its ground's material from another place, turned and resized, with its tone matched to the
ground under it; faint shading, an edge that fades in places and a slight change of tone (`contrast`) give it away.
"""

from pathlib import Path

import cv2
import numpy as np
from pydantic import Field

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import scenery, shapes, textures
from uncertsam.data.raw.synthesis.textures import Classes, Colour, Mask, Material, Picture, Rng
from uncertsam.data.raw.worlds import WorldParams, frame, save

WORLD = "camouflage"
STUFF = ("clouds", "ridges", "fibres", "grains", "bands", "wood", "spots", "weave", "cells", "pebbles", "leaves")
COLOURS = np.array([[0, 0, 0], [224, 64, 64], [64, 192, 64], [64, 96, 224]], np.uint8)  # ground, then objects


class Params(WorldParams):
    """`contrast`: how far an object's tone, shading and grain are from its ground's; 0 would hide it wholly."""

    contrast: float = Field(0.65, gt=0, le=2)


def generate(root: Path, params: Params) -> None:
    """Write `params.count` pictures with one to three hidden objects, and their masks, below `root`/Test."""
    for index in range(params.count):
        picture, instances, kind = draw(params, index)
        name = f"COD10K-CAM-1-Synthetic-{STUFF.index(kind) + 1}-{kind.capitalize()}-{index + 1}"
        save(root / "Test" / "Image" / f"{name}.jpg", picture)
        save(root / "Test" / "GT_Object" / f"{name}.png", scenery.binary(instances > 0))
        save(root / "Test" / "GT_Instance" / f"{name}.png", COLOURS[instances])


def draw(params: Params, index: int) -> tuple[Picture, Classes, str]:
    """Picture `index`, per pixel the number of its instance (0 is ground), and the kind of stuff."""
    rng = numpy_generator(params.seed, WORLD, index)
    stuff = Material.draw(rng, STUFF)
    height, width = frame(rng, params.size)
    scene = _ridged(rng, stuff.render(rng, height, width))
    instances = np.zeros((height, width), np.uint8)
    for number, mask in enumerate(_objects(rng, height, width), start=1):
        scene = scenery.hidden(rng, scene, mask, stuff, params.contrast)
        instances[mask] = number
    return scenery.pictured(rng, scene), instances, stuff.kind


def _objects(rng: Rng, height: int, width: int) -> list[Mask]:
    """One to three objects that keep apart."""
    wanted = int(rng.choice([1, 1, 2, 3]))
    found: list[Mask] = []
    for _ in range(4 * wanted):
        mask = shapes.sprawling(rng, height, width, (0.04, 0.2 / wanted**0.5))
        near = cv2.dilate(mask.astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
        if not any((near & other).any() for other in found):
            found.append(mask)
        if len(found) == wanted:
            break
    return found


def _ridged(rng: Rng, ground: Colour) -> Colour:
    """Lay ridges over the ground, shaded like the edges of objects: contours that lead nowhere."""
    height, width = ground.shape[:2]
    relief = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(2, 6))):
        outline = shapes.place(rng, shapes.silhouette(rng), height, width, float(rng.uniform(0.03, 0.2)), margin=-0.15)
        relief += scenery.dome(outline, float(rng.uniform(2, 8))) * (textures.noise(rng, height, width, 50.0) > -0.2)
    shading = scenery.lit_from(rng, cv2.GaussianBlur(relief, (0, 0), 1.5))
    return np.clip(textures.lit(ground, 1 + np.float32(rng.uniform(0.1, 0.3)) * shading), 0, 1)
