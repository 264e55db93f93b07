"""Seeded silhouettes: blobs, polygons, creatures, branching and thin things, rings, unions with holes."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool, Float

from uncertsam.data.raw.synthesis import textures
from uncertsam.data.raw.synthesis.textures import Classes as Canvas
from uncertsam.data.raw.synthesis.textures import Mask, Rng

CANVAS = 256  # silhouettes are drawn at this size, then scaled and turned into place
SPRAWLING = ("blob", "polygon", "cloud", "creature", "hoop", "cluster")  # kinds that half fill their bounding box
Cropped = Bool[np.ndarray, "rows columns"]


def shape(rng: Rng, height: int, width: int) -> Mask:
    """One connected object of a random kind, covering 1 % to 50 % of the picture; some are cut by its border."""
    for _ in range(8):
        share = float(np.exp(rng.uniform(np.log(0.015), np.log(0.45))))
        mask = place(rng, silhouette(rng), height, width, share, margin=float(rng.uniform(-0.2, 0.2)))
        if 0.01 <= mask.mean() <= 0.5:
            return mask
    disc = np.zeros((height, width), np.uint8)
    cv2.ellipse(disc, (width // 2, height // 2), (max(1, width // 4), max(1, height // 4)), 0, 0, 360, 1, -1)
    return disc.astype(bool)


def silhouette(rng: Rng, kinds: tuple[str, ...] = ()) -> Cropped:
    """A random connected object, cropped to its bounding box; of one of `kinds` (all where none is named)."""
    while True:
        canvas = np.zeros((CANVAS, CANVAS), np.uint8)
        KINDS[str(rng.choice(kinds or tuple(KINDS)))](rng, canvas)
        if rng.random() < 0.6:
            canvas = _deformed(rng, canvas)
        mask = largest_component(canvas > 0)
        if mask.sum() > 0.01 * mask.size:
            return crop(mask)


def place(rng: Rng, drawn: Cropped, height: int, width: int, share: float, margin: float = 0.02) -> Mask:
    """Turn a silhouette, scale it to cover `share` of an [height, width] picture, and put it at a random place.

    `margin` is the part of each side that the object keeps free; a negative one lets it leave the picture by as much.
    The object is made smaller than asked where its bounding box would not fit. The largest connected part is returned.
    """
    turn = cv2.getRotationMatrix2D((0, 0), float(rng.uniform(0, 360)), 1.0)[:, :2]
    corners = np.array([(x, y) for x in (0, drawn.shape[1]) for y in (0, drawn.shape[0])], float) @ turn.T
    low, extent = corners.min(axis=0), np.ptp(corners, axis=0)
    room = np.array([width, height]) * (1 - 2 * max(margin, 0.0))
    scale = min(np.sqrt(share * height * width / max(1, drawn.sum())), float((room / extent).min()))
    free = np.array([width, height]) - scale * extent
    edge = np.minimum(margin * np.array([width, height]), free / 2)
    corner = rng.uniform(edge, free - edge)
    soft = cv2.GaussianBlur(drawn.astype(np.float32), (0, 0), max(0.3, 0.5 / scale), borderType=cv2.BORDER_CONSTANT)
    matrix = np.c_[scale * turn, corner - scale * low]
    return largest_component(cv2.warpAffine(soft, matrix, (width, height), flags=cv2.INTER_LINEAR) > 0.5)


def sprawling(rng: Rng, height: int, width: int, share: tuple[float, float], margin: float = 0.02) -> Mask:
    """An object that `sprawls`; `share` is the range of the part of the picture it covers, `margin` as in `place`."""
    while True:
        aim = float(rng.uniform(*share))
        mask = place(rng, silhouette(rng, SPRAWLING), height, width, aim, margin)
        if share[0] <= mask.mean() <= share[1] and sprawls(mask):
            return mask


def sprawls(mask: Mask) -> bool:
    """Whether a box tells little about a mask: nearly all of it is one part, which covers 35 % to 75 % of its box."""
    part = largest_component(mask)
    return bool(mask.any()) and part.sum() >= 0.95 * mask.sum() and 0.35 <= fill(part) <= 0.75


def crop(mask: Mask) -> Cropped:
    """The part within the bounding box of a mask that is not empty."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return mask[y : y + height, x : x + width]


def fill(mask: Mask) -> float:
    """The share of its bounding box that a mask that is not empty covers, in (0, 1]."""
    return float(crop(mask).mean())


def largest_component(mask: Mask) -> Mask:
    """The largest 8-connected part (the empty mask stays empty)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return mask if count <= 2 else labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def _deformed(rng: Rng, canvas: Canvas) -> Canvas:
    """Bend by a smooth random displacement."""
    height, width = canvas.shape
    reach = np.float32(rng.uniform(3, 12))
    scale = float(rng.uniform(30, 90))
    x = np.arange(width, dtype=np.float32)[None] + reach * textures.noise(rng, height, width, scale)
    y = np.arange(height, dtype=np.float32)[:, None] + reach * textures.noise(rng, height, width, scale)
    return cv2.remap(canvas, x, y, cv2.INTER_NEAREST)


def _filled(canvas: Canvas, points: Float[np.ndarray, "n 2"], value: int = 1) -> None:
    cv2.fillPoly(canvas, [np.rint(points).astype(np.int32)], value)


def _ring(radius: Float[np.ndarray, " n"], centre: Float[np.ndarray, " 2"]) -> Float[np.ndarray, "n 2"]:
    angle = np.linspace(0, 2 * np.pi, len(radius), endpoint=False)
    return centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _fourier(rng: Rng, centre: Float[np.ndarray, " 2"], radius: float) -> Float[np.ndarray, "n 2"]:
    """A closed smooth curve about `centre`: a radius with random harmonics that fall off."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    waves = np.arange(2, 12)
    strength = rng.normal(0, rng.uniform(0.15, 0.5), len(waves)) / waves ** rng.uniform(0.6, 1.3)
    bumps = strength @ np.cos(waves[:, None] * angle + rng.uniform(0, 2 * np.pi, (len(waves), 1)))
    return _ring(radius * np.exp(np.clip(bumps, -1.2, 1)), centre)


def _blob(rng: Rng, canvas: Canvas) -> None:
    _filled(canvas, _fourier(rng, np.full(2, CANVAS / 2), CANVAS / 4))


def _ellipse(rng: Rng, canvas: Canvas) -> None:
    axes = (CANVAS // 3, int(CANVAS / 3 * rng.uniform(0.25, 1)))
    cv2.ellipse(canvas, (CANVAS // 2, CANVAS // 2), axes, 0, 0, 360, 1, -1)


def _polygon(rng: Rng, canvas: Canvas) -> None:
    """Three to nine corners about the centre; the fewer and the less even, the sharper."""
    corners = int(rng.integers(3, 10))
    radius = CANVAS / 2.6 * rng.uniform(rng.uniform(0.3, 0.9), 1, corners)
    _filled(canvas, _ring(radius, np.full(2, CANVAS / 2)) + rng.normal(0, 4, (corners, 2)))


def _cloud(rng: Rng, canvas: Canvas) -> None:
    """Noise that falls off from the centre, cut at a level: ragged, with bays, holes and islands."""
    line = np.linspace(-1, 1, CANVAS, dtype=np.float32) ** 2
    fall = 2.5 * np.sqrt(line[None] + line[:, None])
    rough = textures.fractal(rng, CANVAS, CANVAS, float(rng.uniform(25, 70)), float(rng.uniform(0.35, 0.6)))
    canvas[rough * 0.6 > fall - rng.uniform(1.0, 1.4)] = 1
    canvas[:] = cv2.morphologyEx(canvas, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))


def _creature(rng: Rng, canvas: Canvas) -> None:
    """A body with a head, limbs that bend, and mostly a tail."""
    centre, length = np.full(2, CANVAS / 2), rng.uniform(35, 60)
    body = _fourier(rng, np.zeros(2), length) * [1, rng.uniform(0.35, 0.7)]
    _filled(canvas, centre + body)
    _filled(canvas, _fourier(rng, centre + length * np.array([rng.uniform(0.8, 1.2), -0.3]), length * 0.35))
    for start in np.linspace(-0.8, 0.8, int(rng.integers(2, 5))):
        foot = np.array([start + rng.normal(0, 0.25), rng.uniform(0.9, 1.5)]) * length
        _limb(rng, canvas, centre + length * np.array([start, 0]), centre + foot, rng.uniform(4, 10))
    if rng.random() < 0.7:
        tip = centre + np.array([-rng.uniform(1.4, 1.9), rng.uniform(-0.9, 0.5)]) * length
        _limb(rng, canvas, centre - length * np.array([0.7, 0]), tip, rng.uniform(3, 8))


def _limb(
    rng: Rng,
    canvas: Canvas,
    start: Float[np.ndarray, " 2"],
    end: Float[np.ndarray, " 2"],
    thickness: float,
) -> None:
    """A bent stroke from start to end that grows thinner to half."""
    bend = (start + end) / 2 + rng.normal(0, 0.15, 2) * np.linalg.norm(end - start)
    t = np.linspace(0, 1, 12)[:, None]
    curve = np.rint((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end).astype(int).tolist()
    for i, (a, b) in enumerate(pairwise(curve)):
        cv2.line(canvas, a, b, 1, max(1, round(thickness * (1 - i / 22))))


def _branches(rng: Rng, canvas: Canvas) -> None:
    """A tree of limbs."""
    tips = [(np.array([CANVAS / 2, CANVAS * 0.95]), -np.pi / 2, CANVAS * rng.uniform(0.25, 0.35), rng.uniform(8, 18))]
    for _ in range(14):
        start, angle, length, thickness = tips.pop(0)
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        _limb(rng, canvas, start, end, thickness)
        for side in (-1, 1):
            turned = angle + side * rng.uniform(0.2, 0.8)
            tips.append((end, turned, length * rng.uniform(0.6, 0.9), max(3.0, thickness * 0.7)))


def _worm(rng: Rng, canvas: Canvas) -> None:
    """A long thin thing on a winding path."""
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, 40))
    path = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], axis=-1), axis=0)
    path = (path - path.min(axis=0)) / np.ptp(path, axis=0).max() * 0.85 * CANVAS + 0.07 * CANVAS
    cv2.polylines(canvas, [np.rint(path).astype(np.int32)], False, 1, int(rng.integers(7, 24)))


def _hoop(rng: Rng, canvas: Canvas) -> None:
    """A blob with one to three holes."""
    _blob(rng, canvas)
    for _ in range(int(rng.integers(1, 4))):
        centre = CANVAS / 2 + rng.normal(0, CANVAS / 10, 2)
        _filled(canvas, _fourier(rng, centre, CANVAS * rng.uniform(0.04, 0.13)), 0)


def _cluster(rng: Rng, canvas: Canvas) -> None:
    """A union of blobs and polygons along a random walk."""
    centre = np.full(2, CANVAS / 2)
    for _ in range(int(rng.integers(2, 6))):
        radius = CANVAS * rng.uniform(0.07, 0.18)
        _filled(canvas, _fourier(rng, centre, radius))
        centre = np.clip(centre + rng.normal(0, radius, 2), CANVAS * 0.2, CANVAS * 0.8)


_ALL = (_blob, _ellipse, _polygon, _cloud, _creature, _branches, _worm, _hoop, _cluster)
KINDS: dict[str, Callable[[Rng, Canvas], None]] = {f.__name__[1:]: f for f in _ALL}
