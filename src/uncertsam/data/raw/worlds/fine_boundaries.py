"""One large thing with a fine, ragged boundary on large pictures, in BIG's layout: NAME_im.jpg beside NAME_gt.png.

The boundary is hair, leaves or a torn edge, a few pixels wide in a picture of 2,000.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32
from pydantic import Field

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw.synthesis import scenery, shapes, textures
from uncertsam.data.raw.synthesis.textures import Classes as Canvas
from uncertsam.data.raw.synthesis.textures import Colour, Mask, Material, Picture, Rng
from uncertsam.data.raw.worlds import WorldParams, frame, save

WORLD = "fine_boundaries"
COARSE = 4  # body and materials are drawn smaller by this factor, the boundary is not
Small = Bool[np.ndarray, "rows columns"]
Points = Float[np.ndarray, "n 2"]


class Params(WorldParams):
    """`contrast`: how far a thing's tone is from its ground's; 0 would hide it wholly."""

    count: int = Field(6, ge=1, le=100_000)
    size: int = Field(2000, ge=64, le=8192)
    contrast: float = Field(0.8, gt=0, le=2)


def generate(root: Path, params: Params) -> None:
    """Write `params.count` pictures and the masks of their things."""
    for index in range(params.count):
        picture, mask = draw(params, index)
        save(root / f"synthetic_{index + 1:03d}_im.jpg", picture)
        save(root / f"synthetic_{index + 1:03d}_gt.png", scenery.binary(mask))


def draw(params: Params, index: int) -> tuple[Picture, Mask]:
    """Picture `index` and its thing."""
    rng = numpy_generator(params.seed, WORLD, index)
    height, width = frame(rng, params.size)
    rows, columns = -(-height // COARSE), -(-width // COARSE)
    body = shapes.sprawling(rng, rows, columns, (0.08, 0.25), margin=0.08)
    fringed = BOUNDARIES[index % len(BOUNDARIES)](rng, body, height, width)
    light = _scene(rng, body, fringed, params.contrast)
    return textures.photograph(rng, light), shapes.largest_component(fringed > 127)


def _scene(rng: Rng, body: Small, opacity: Canvas, contrast: float) -> Colour:
    """The thing before its ground, which is out of focus, both lit, in linear light."""
    height, width = opacity.shape
    rows, columns = body.shape
    stuff = Material.draw(rng)
    other = stuff.turned(1.0, 0.7) if rng.random() < 0.5 else Material.draw(rng).muted(0.3)
    ground, skin = stuff.render(rng, rows, columns), other.render(rng, rows, columns)
    gain = 1 + contrast * rng.uniform(0.2, 0.5) * rng.choice([-1, 1])
    skin = skin * (gain * ground.mean(axis=(0, 1)) / (skin.mean(axis=(0, 1)) + 1e-3)).astype(np.float32)
    skin = textures.lit(skin, 1 + np.float32(0.5) * scenery.lit_from(rng, scenery.dome(body, 0.3 * body.sum() ** 0.5)))
    ground = cv2.GaussianBlur(ground, (0, 0), float(rng.uniform(0.6, 2.5)))
    light = textures.illumination(rng, rows, columns)
    ground, skin = (_enlarged(scenery.exposed(rng, textures.lit(s, light)), height, width) for s in (ground, skin))
    return cv2.blendLinear(skin, ground, opacity / np.float32(255), 1 - opacity / np.float32(255))


def _enlarged(small: Float32[np.ndarray, "rows columns 3"], height: int, width: int) -> Colour:
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _full(body: Small, height: int, width: int) -> Canvas:
    """The body at the picture's size, in 0 and 255 with smooth edges."""
    soft = cv2.resize(scenery.binary(body), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(cv2.blur(soft, (2 * COARSE + 1,) * 2) > 127, np.uint8(255), np.uint8(0))


def _edge(rng: Rng, canvas: Canvas, count: int) -> tuple[Points, Points]:
    """`count` random places [px] on the boundary and the unit vectors that lead out of the body there."""
    outline = np.concatenate(cv2.findContours(canvas, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0])[:, 0]
    at = outline[rng.integers(0, len(outline), count)]
    soft = cv2.GaussianBlur(canvas, (0, 0), 8).astype(np.float32)
    dx, dy = (cv2.Sobel(soft, cv2.CV_32F, *o)[at[:, 1], at[:, 0]] for o in ((1, 0), (0, 1)))
    out = -np.stack([dx, dy], axis=-1) / (np.hypot(dx, dy)[:, None] + 1e-3)
    return at.astype(np.float64), out.astype(np.float64)


def _hairy(rng: Rng, body: Small, height: int, width: int) -> Canvas:
    """Strands that leave the body and bend one way."""
    canvas = _full(body, height, width)
    reach = max(height, width) / 2000
    at, out = _edge(rng, canvas, 2500)
    length = reach * rng.uniform(20, 110) * rng.uniform(0.3, 1, (len(at), 1))
    bend = rng.normal(0, 0.5, 2) + rng.normal(0, 0.35, (len(at), 2))
    t = np.linspace(-0.15, 1, 8)[:, None, None]
    paths = np.rint(16 * (at + length * (t * out + t * np.abs(t) * bend))).astype(np.int32)  # 1/16 px
    strands = list(np.ascontiguousarray(paths.transpose(1, 0, 2)))
    for thick in (1, 2, 3):
        wide = max(1, round(thick * reach))
        cv2.polylines(canvas, strands[thick - 1 :: 3], False, 255, wide, cv2.LINE_AA, 4)
    return canvas


def _leafy(rng: Rng, body: Small, height: int, width: int) -> Canvas:
    """Small leaves along the boundary, and gaps between them."""
    canvas = _full(body, height, width)
    reach = max(height, width) / 2000
    for value, count in ((255, 700), (0, 250), (255, 300)):
        at, out = _edge(rng, canvas, count)
        turn = np.degrees(np.arctan2(out[:, 1], out[:, 0])) + rng.normal(0, 35, count)
        long = reach * rng.uniform(10, 45, count)
        for p, angle, a in zip(at, turn, long, strict=True):
            axes = (max(1, round(a)), max(1, round(a * rng.uniform(0.2, 0.45))))
            cv2.ellipse(canvas, np.rint(p).astype(int).tolist(), axes, angle, 0, 360, value, -1, cv2.LINE_AA)
    return canvas


def _torn(rng: Rng, body: Small, height: int, width: int) -> Canvas:
    """An edge that is rough at every scale, like torn paper or lichen."""
    canvas = _full(body, height, width)
    reach = max(height, width) / 2000
    signed = cv2.distanceTransform(canvas, cv2.DIST_L2, 3) - cv2.distanceTransform(255 - canvas, cv2.DIST_L2, 3)
    rough = textures.fractal(rng, height, width, max(3.0, 60 * reach), 0.7)
    return np.clip(127 + 128 * (signed + np.float32(25 * reach) * rough), 0, 255).astype(np.uint8)


BOUNDARIES: tuple[Callable[[Rng, Small, int, int], Canvas], ...] = (_hairy, _leafy, _torn)
