"""Drawn training scenes: what photos of everyday things hold too little of, each with its labels.

Shapes in every kind of surface, panes of glass, shadows' cousins the glows, many small pieces of one label, thin lines,
organs in noise. Each function takes (rng, materials, size) and returns a square image and its labels.
"""

import cv2
import numpy as np

from uncertsam.data.raw.synthesis.shapes import shape
from uncertsam.data.raw.synthesis.textures import fractal, noise
from uncertsam.pretraining.materials import Image, Labels, Light, Mask, Materials, Rng, any_photo, blend, material

Drawn = tuple[Image, Labels]


def shapes(rng: Rng, materials: Materials, size: int) -> Drawn:
    """One to four random shapes, each made visible in its own way."""
    image = material(rng, materials, size).astype(np.float32)
    labels = np.zeros((size, size), np.int32)
    for k in range(1, rng.integers(2, 6)):
        mask = shape(rng, size, size)
        blend(image, _surface(rng, image, materials, size), mask, rng.uniform(0.4, 3.0))
        labels[mask] = k
    return image.astype(np.uint8), labels


def _surface(rng: Rng, image: Light, materials: Materials, size: int) -> Light:
    """What a shape looks like: another material, a shadow, a pane, or its own ground displaced."""
    kind = rng.random()
    if kind < 0.5:
        return material(rng, materials, size).astype(np.float32)
    if kind < 0.7:
        return image * rng.uniform(0.3, 0.75) * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if kind < 0.85:
        share = rng.uniform(0.25, 0.7)
        return (1 - share) * image + share * material(rng, materials, size)
    moved = np.roll(image, tuple(rng.integers(size // 6, size // 2, 2)), (0, 1))
    return np.clip(moved * rng.uniform(0.8, 1.2) + rng.uniform(-12, 12), 0, 255)


def panes(rng: Rng, materials: Materials, size: int) -> Drawn:
    """One to three panes of glass: quadrilaterals that mix what is behind them with a reflection, often framed."""
    image = material(rng, materials, size).astype(np.float32)
    labels = np.zeros((size, size), np.int32)
    for k in range(1, rng.integers(2, 5)):
        mask = _quadrilateral(rng, size)
        share, tint = rng.uniform(0.0, 0.6), rng.uniform(0.75, 1.1, 3).astype(np.float32)
        behind = image if rng.random() < 0.5 else material(rng, materials, size)
        glass = ((1 - share) * behind + share * material(rng, materials, size)) * tint + rng.uniform(-25, 35)
        if rng.random() < 0.6:
            _frame(rng, image, mask)
        blend(image, np.clip(glass, 0, 255), mask, rng.uniform(0.3, 1.0))
        labels[mask] = k
    return image.astype(np.uint8), labels


def _quadrilateral(rng: Rng, size: int) -> Mask:
    """Nearly a rectangle, seen from a slant; covers 4 % to 90 % of the square."""
    height, width = size * rng.uniform(0.2, 1.0, 2)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    corners = corners * (1 + rng.uniform(-0.12, 0.12, (4, 2)))
    turn = np.radians(rng.normal(0, 6))
    corners = corners @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    canvas = np.zeros((size, size), np.uint8)
    cv2.fillPoly(canvas, [np.rint(corners + size * rng.uniform(0.3, 0.7, 2)).astype(np.int32)], 1)
    return canvas.astype(bool)


def _frame(rng: Rng, image: Light, mask: Mask) -> None:
    """A frame of one colour round the pane, in place."""
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=int(rng.integers(2, 9))) > 0
    blend(image, np.broadcast_to(rng.uniform(0, 255, 3).astype(np.float32), image.shape), wide, 0.6)


def scattered(rng: Rng, materials: Materials, size: int) -> Drawn:
    """Up to forty small pieces of one material under one label: plants on soil, stains on a wall; perhaps two kinds."""
    image = material(rng, materials, size).astype(np.float32)
    labels = np.zeros((size, size), np.int32)
    for k in range(1, rng.integers(2, 4)):
        pieces = np.zeros((size, size), bool)
        for _ in range(rng.integers(3, 40)):
            _stamp(rng, pieces)
        blend(image, _surface(rng, image, materials, size), pieces, rng.uniform(0.4, 1.2))
        labels[pieces] = k
    return image.astype(np.uint8), labels


def _stamp(rng: Rng, pieces: Mask) -> None:
    """One leaf or speck at a random place, in place."""
    canvas, size = pieces.astype(np.uint8), len(pieces)
    at = [int(n) for n in rng.integers(0, size, 2)]
    axes = (int(rng.integers(2, size // 10)), int(rng.integers(1, size // 20)))
    cv2.ellipse(canvas, at, axes, rng.uniform(0, 180), 0, 360, 1, -1)
    pieces |= canvas > 0


def lines(rng: Rng, materials: Materials, size: int) -> Drawn:
    """Cracks, wires, roots: winding lines of 1 to 6 px under one label, darker or brighter than their ground."""
    image = material(rng, materials, size).astype(np.float32)
    canvas = np.zeros((size, size), np.uint8)
    width, rough = int(rng.integers(1, 7)), rng.uniform(0.1, 0.8)
    for _ in range(rng.integers(1, 4)):
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, rough, 60))
        step = size * rng.uniform(0.008, 0.025)
        path = rng.uniform(0.1, 0.9, 2) * size + step * np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0)
        cv2.polylines(canvas, [np.rint(path).astype(np.int32)], False, 1, width)
    mask = canvas > 0
    gain = rng.uniform(0.3, 0.8) if rng.random() < 0.7 else rng.uniform(1.3, 1.9)
    line = image * gain if rng.random() < 0.8 else material(rng, materials, size).astype(np.float32)
    blend(image, np.clip(line, 0, 255), mask, rng.uniform(0.3, 1.0))
    return image.astype(np.uint8), mask.astype(np.int32)


def cast_shadows(rng: Rng, materials: Materials, size: int) -> Drawn:
    """One to three shadows on a photo or a material: a shape or a sheared silhouette, darker, bluish, soft-edged."""
    image = material(rng, materials, size).astype(np.float32)
    labels = np.zeros((size, size), np.int32)
    for k in range(1, rng.integers(2, 5)):
        mask = _silhouette(rng, materials, size) if materials.photos and rng.random() < 0.6 else _shade(rng, size)
        tint = np.float32(rng.uniform(0.3, 0.75)) * rng.uniform([0.85, 0.92, 1.0], [1.0, 1.05, 1.2]).astype(np.float32)
        blend(image, image * tint, mask, rng.uniform(0.4, 0.02 * size))
        labels[mask] = k
    return image.astype(np.uint8), labels


def _shade(rng: Rng, size: int) -> Mask:
    """What a building, a railing or a crown throws: a quadrilateral, a shape, or several of them."""
    mask = np.zeros((size, size), bool)
    for _ in range(rng.choice([1, 1, 2, 4])):
        mask |= _quadrilateral(rng, size) if rng.random() < 0.4 else shape(rng, size, size)
    return mask


def _silhouette(rng: Rng, materials: Materials, size: int) -> Mask:
    """A region of some photo, sheared, turned and stretched as the sun does it; may be empty."""
    labels = any_photo(rng, materials).labels
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    region = (labels == rng.choice(np.flatnonzero(areas >= min(400, areas.max())))).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(region)
    scale, turn = rng.uniform(0.3, 1.1) * size / max(w, h), rng.uniform(-np.pi, np.pi)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine = scale * spin @ np.array([[1, rng.uniform(-0.8, 0.8)], [0, rng.uniform(0.5, 1.2)]])
    centre = size * rng.uniform(0.25, 0.75, 2) - affine @ [x + w / 2, y + h / 2]
    return cv2.warpAffine(region, np.c_[affine, centre], (size, size), flags=cv2.INTER_NEAREST) > 0


def glows(rng: Rng, materials: Materials, size: int) -> Drawn:
    """Light added over a dark picture: discs that fade outwards, with streaks; the label is where they are bright."""
    image = material(rng, materials, size).astype(np.float32) * rng.uniform(0.1, 0.8)
    labels = np.zeros((size, size), np.int32)
    for k in range(1, rng.integers(2, 4)):
        glow = _glow(rng, size)
        colour = rng.uniform(0.5, 1.0, 3).astype(np.float32)
        image += glow[..., None] * colour * rng.uniform(120, 400)
        labels[glow > rng.uniform(0.25, 0.5)] = k
    return np.clip(image, 0, 255).astype(np.uint8), labels


def _glow(rng: Rng, size: int) -> np.ndarray:
    """Strength in [0, 1]: a fading disc, and perhaps a streak through its centre."""
    y, x = np.mgrid[:size, :size].astype(np.float32) - size * rng.uniform(0.1, 0.9, (2, 1, 1)).astype(np.float32)
    reach = np.float32(size * rng.uniform(0.04, 0.25))
    glow = np.exp(-((np.hypot(x, y) / reach) ** np.float32(rng.uniform(1.0, 4.0))))
    if rng.random() < 0.5:
        turn = rng.uniform(0, np.pi)
        along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
        glow = np.maximum(glow, np.exp(-np.abs(across) / (0.12 * reach) - np.abs(along) / (3 * reach)))
    return glow.astype(np.float32)


def organs(rng: Rng, materials: Materials, size: int) -> Drawn:
    """A grey slice of a body: smooth shapes of neighbouring grey values in noise, uneven and soft-edged."""
    image = np.full((size, size, 3), rng.uniform(0, 60), np.float32)
    labels = np.zeros((size, size), np.int32)
    blend(image, np.full_like(image, rng.uniform(60, 140)), shape(rng, size, size) | _quadrilateral(rng, size), 4.0)
    for k in range(1, rng.integers(3, 8)):
        mask = shape(rng, size, size)
        rough = 12 * noise(rng, size, size, 12.0)[..., None]
        blend(image, np.clip(rng.uniform(40, 220) + rough + 0 * image, 0, 255), mask, rng.uniform(0.8, 2.5))
        labels[mask] = k
    grain = fractal(rng, size, size, rng.uniform(2, 8)) * rng.uniform(2, 20)
    return np.clip(image + grain[..., None], 0, 255).astype(np.uint8), labels


KINDS = (shapes, panes, cast_shadows, scattered, lines, glows, organs)
