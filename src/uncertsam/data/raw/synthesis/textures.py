"""Seeded materials: random textures with the statistics of photographs, from a few numpy and OpenCV calls.

A `Material` is a texture process: rendered with two generators it gives two pieces of the same stuff. Colours are
linear light in [0, 1] until `photograph` turns them into 8-bit values. Bytes repeat on one machine with one version of
the libraries; another processor may round a pixel differently.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

Rng = np.random.Generator
Mask = Bool[np.ndarray, "h w"]
Picture = UInt8[np.ndarray, "h w 3"]
Classes = UInt8[np.ndarray, "h w"]
Field = Float32[np.ndarray, "h w"]
Colour = Float32[np.ndarray, "h w 3"]
GAMMA = 2.2


def texture(rng: Rng, height: int, width: int) -> Picture:
    """One photographed surface of a random material, as RGB in [0, 255]."""
    ground = Material.draw(rng).render(rng, height, width)
    return photograph(rng, lit(ground, illumination(rng, height, width)))


@dataclass(frozen=True, eq=False)
class Material:
    """A texture process: what pattern, how large [px], which way, in which colours (sRGB in [0, 1], dark to bright)."""

    kind: str
    scale: float
    angle: float
    stretch: float
    warp: float
    relief: float
    detail: float
    palette: Float32[np.ndarray, "k 3"]

    @classmethod
    def draw(cls, rng: Rng, kinds: tuple[str, ...] = ()) -> "Material":
        """A random material, of one of `kinds` (all where none is named)."""
        return cls(
            kind=str(rng.choice(kinds or tuple(PATTERNS))),
            scale=float(np.exp(rng.uniform(np.log(6), np.log(40)))),
            angle=float(rng.uniform(0, np.pi)),
            stretch=float(np.exp(rng.uniform(0, np.log(3)))),
            warp=float(rng.uniform(0.1, 1)),
            relief=float(rng.choice([0, 1]) * rng.uniform(0.1, 0.5)),
            detail=float(rng.uniform(0.1, 0.6)),
            palette=_palette(rng),
        )

    def turned(self, angle: float, scale: float) -> "Material":
        """The same stuff, turned by `angle` [rad] and enlarged by the factor `scale`."""
        return replace(self, angle=self.angle + angle, scale=self.scale * scale)

    def muted(self, by: float) -> "Material":
        """The same stuff with its colours moved towards their mean; `by` in [0, 1], 1 leaves one colour."""
        mean = self.palette.mean(axis=0, keepdims=True)
        return replace(self, palette=self.palette + np.float32(by) * (mean - self.palette))

    def render(self, rng: Rng, height: int, width: int) -> Colour:
        """A piece of it, as linear light in [0, 1]."""
        pattern = standard(PATTERNS[self.kind](rng, height, width, self))
        pattern += self.detail * fractal(rng, height, width, max(3.0, self.scale / 3))
        light = _coloured(pattern, self.palette)
        light *= _drift(rng, height, width)
        if self.relief:
            light = lit(light, 1 + np.float32(self.relief) * _slope(pattern, self.angle + 0.8))
        return np.clip(light, 0, 1, out=light)


def _palette(rng: Rng) -> Float32[np.ndarray, "k 3"]:
    """Three to five related colours: near one hue, mostly earthy and muted, mostly dark to bright (sRGB in [0, 1])."""
    count = int(rng.integers(3, 6))
    base = rng.normal(0.15, 0.09) if rng.random() < 0.6 else rng.random()  # orange to green, or any
    hue = base + rng.normal(0, 0.03, count)
    if rng.random() < 0.3:
        hue[rng.integers(count)] += rng.uniform(0.1, 0.5)
    saturation = np.clip(rng.beta(1.6, 4.5) + rng.normal(0, 0.06, count), 0, 1)
    low, span = rng.uniform(0.1, 0.5), rng.uniform(0.2, 0.5)
    value = np.clip(np.linspace(low, low + span, count) + rng.normal(0, 0.05, count), 0.04, 0.97)
    if rng.random() < 0.25:
        rng.shuffle(value)
    hsv = np.stack([hue % 1 * 360, saturation, value], axis=-1).astype(np.float32)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]


def lit(surface: Colour, light: Field) -> Colour:
    """Each channel times the light."""
    return cv2.multiply(surface, cv2.merge([light] * 3))  # an eighth of the time of numpy's broadcast


def illumination(rng: Rng, height: int, width: int) -> Field:
    """Uneven light, about 1: a slope across the picture, slow patches and darker corners."""
    line = np.linspace(-1, 1, 32, dtype=np.float32)
    x, y = line[None, :], line[:, None]
    angle, slope, corners = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.25), rng.uniform(0, 0.15)
    plane = slope * (np.cos(angle) * x + np.sin(angle) * y) - corners * (x * x + y * y)
    light = np.clip(1 + plane + 0.06 * noise(rng, 32, 32, 10.0), 0.2, 2).astype(np.float32)
    return cv2.resize(light, (width, height), interpolation=cv2.INTER_LINEAR)


def photograph(rng: Rng, light: Colour) -> Picture:
    """Expose linear light as a camera would: exposure, blur of the lens, gamma, shot noise, 8 bits."""
    height, width, _ = light.shape
    sharp = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.3, 0.9))
    encoded = cv2.pow(np.maximum(sharp, 0, out=sharp), 1 / GAMMA)  # a fifth of numpy's time
    # after the gamma, close to a square root, shot noise has one strength; colour noise has larger grains
    chroma = cv2.resize(_white(rng, height // 2 + 1, width // 2 + 1, 3), (width, height))
    grain = cv2.add(chroma, cv2.merge([_white(rng, height, width)] * 3))
    encoded = cv2.scaleAdd(grain, rng.uniform(0.004, 0.016), encoded)
    return cv2.convertScaleAbs(encoded, alpha=255 * rng.uniform(0.93, 1.08))  # saturates at 255


def noise(rng: Rng, height: int, width: int, scale: float, angle: float = 0.0, stretch: float = 1.0) -> Field:
    """Smooth noise of mean 0, deviation about 1; features are `scale` px across, `stretch` times that along `angle`."""
    if stretch == 1:
        rows, columns = int(height / scale) + 3, int(width / scale) + 3
        return 1.4 * _enlarged(_white(rng, rows, columns), height, width)
    # the affine warp knows 1/32 of a cell: large features are rendered small and enlarged, which is exact
    shrink = max(1.0, scale / 8)
    rows, columns = int(np.ceil(height / shrink)), int(np.ceil(width / shrink))
    small = _turned_noise(rng, rows, columns, scale / shrink, angle, stretch)
    return _enlarged(small, height, width)


def _turned_noise(rng: Rng, height: int, width: int, scale: float, angle: float, stretch: float) -> Field:
    step, reach = max(1.0, scale), float(np.hypot(height, width))
    rows, columns = int(reach / step) + 4, int(reach / (step * stretch)) + 4
    grid = _white(rng, rows, columns)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / [[step * stretch], [step]]
    shift = np.array([columns - 1, rows - 1]) / 2 - turn @ np.array([width, height]) / 2
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return 1.4 * cv2.warpAffine(grid, np.c_[turn, shift], (width, height), None, how, cv2.BORDER_REFLECT_101)


def _enlarged(small: Float32[np.ndarray, "rows columns"], height: int, width: int) -> Field:
    """Smooth enlargement. Cubic to a quarter and linear from there looks the same and takes a quarter of the time."""
    if 8 * small.shape[0] < height and 8 * small.shape[1] < width:
        small = cv2.resize(small, (width // 4, height // 4), interpolation=cv2.INTER_CUBIC)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def fractal(
    rng: Rng, height: int, width: int, scale: float, persistence: float = 0.6, angle: float = 0.0, stretch: float = 1.0
) -> Field:
    """Noise summed over octaves from `scale` px down to the pixel, each `persistence` times as strong; deviation 1."""
    total, weight = np.zeros((height, width), np.float32), 1.0
    while scale >= 1 and weight > 0.02:
        total += np.float32(weight) * noise(rng, height, width, scale, angle, stretch)
        scale, weight = scale / 2, weight * persistence
    return standard(total)


def standard(field: Field) -> Field:
    """The field with mean 0 and deviation 1 (a constant field becomes 0)."""
    mean, deviation = cv2.meanStdDev(field)
    return (field - np.float32(mean.item())) * np.float32(1 / (deviation.item() + 1e-6))


def _coloured(pattern: Field, colours: Float32[np.ndarray, "k 3"]) -> Colour:
    """Look a standardised pattern up in the palette; two deviations each way span it. Linear light."""
    steps = np.linspace(0, len(colours) - 1, 256)
    table = np.stack([np.interp(steps, range(len(colours)), c) for c in colours.T], axis=-1) ** GAMMA
    index = np.clip(pattern * np.float32(64) + np.float32(128), 0, 255).astype(np.uint8)
    return cv2.LUT(cv2.merge([index] * 3), table.astype(np.float32)[None])


def _drift(rng: Rng, height: int, width: int) -> Colour:
    """Slow changes of brightness and a little of colour across a surface: factors about 1."""
    slow = 1 + 0.12 * _white(rng, 4, 4, 1) + 0.04 * _white(rng, 4, 4, 3)
    return cv2.merge([_enlarged(channel, height, width) for channel in cv2.split(slow)])


def _white(rng: Rng, *shape: int) -> Float32[np.ndarray, "..."]:
    """White noise of mean 0 and deviation 1; uniform, because normal draws take ten times as long."""
    return (rng.integers(0, 256, shape, dtype=np.uint8).astype(np.float32) - np.float32(127.5)) * np.float32(1 / 73.9)


def _slope(height: Field, angle: float) -> Field:
    """Shading of a relief lit from `angle`, in [-1, 1]."""
    soft = cv2.GaussianBlur(height, (0, 0), 0.8)
    dx, dy = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=0.25)
    towards = np.float32(np.cos(angle)) * dx + np.float32(np.sin(angle)) * dy
    return towards / (1 + np.abs(towards))


def _turned(rng: Rng, height: int, width: int, m: Material) -> tuple[Field, Field]:
    """Coordinates [px] along and across the material's direction, from a random origin, gently warped."""
    y = (np.arange(height) + rng.uniform(0, 1000)).astype(np.float32)[:, None]
    x = (np.arange(width) + rng.uniform(0, 1000)).astype(np.float32)[None, :]
    c, s = np.float32(np.cos(m.angle)), np.float32(np.sin(m.angle))
    bend = np.float32(m.warp * m.scale)
    u = c * x + s * y + bend * noise(rng, height, width, 3 * m.scale)
    v = c * y - s * x + bend * noise(rng, height, width, 3 * m.scale)
    return u, v


def _clouds(rng: Rng, height: int, width: int, m: Material) -> Field:
    return fractal(rng, height, width, 3 * m.scale, 0.45 + 0.35 * m.warp, m.angle, m.stretch)


def _ridges(rng: Rng, height: int, width: int, m: Material) -> Field:
    return -np.sqrt(np.abs(fractal(rng, height, width, 2 * m.scale, 0.5, m.angle, 1.5 * m.stretch)))


def _fibres(rng: Rng, height: int, width: int, m: Material) -> Field:
    long = noise(rng, height, width, max(1.5, m.scale / 6), m.angle, 8.0)
    other = noise(rng, height, width, max(1.5, m.scale / 5), m.angle + 0.5 * m.warp, 6.0)
    return np.maximum(long, other) + 0.5 * noise(rng, height, width, 2 * m.scale)


def _grains(rng: Rng, height: int, width: int, m: Material) -> Field:
    fine = noise(rng, height, width, 1.0 + m.scale / 20)
    return fine + np.maximum(noise(rng, height, width, 2.0) - 1.5, 0) * 3 + noise(rng, height, width, 3 * m.scale)


def _bands(rng: Rng, height: int, width: int, m: Material) -> Field:
    u, _ = _turned(rng, height, width, m)
    return np.sin(u * np.float32(2 * np.pi / m.scale)) + 0.5 * noise(rng, height, width, m.scale, m.angle, 3.0)


def _wood(rng: Rng, height: int, width: int, m: Material) -> Field:
    u, v = _turned(rng, height, width, m)
    rings = np.sqrt((v - v.mean()) ** 2 + (0.15 * (u - u.mean())) ** 2) / np.float32(m.scale)
    return rings % 1 + 0.4 * noise(rng, height, width, 2.0, m.angle, 12.0)


def _spots(rng: Rng, height: int, width: int, m: Material) -> Field:
    raw = noise(rng, height, width, m.scale, m.angle, m.stretch)
    band = raw - 0.8 * cv2.blur(raw, (int(2 * m.scale) | 1,) * 2)
    return np.tanh(3 * (band - np.float32(m.warp - 0.5)))


def _weave(rng: Rng, height: int, width: int, m: Material) -> Field:
    u, v = _turned(rng, height, width, replace(m, warp=0.3 * m.warp))
    turn = np.float32(2 * np.pi / max(5.0, 0.6 * m.scale))
    return np.sin(u * turn) * np.sin(v * turn) + 0.4 * np.sin(u * turn * 2) + 0.4 * noise(rng, height, width, 2.0)


def _tiles(rng: Rng, height: int, width: int, m: Material) -> Field:
    """Bricks in shifted courses, each of its own shade, between dark joints."""
    u, v = _turned(rng, height, width, replace(m, warp=0.12 * m.warp))
    high, long = np.float32(1.5 * m.scale), np.float32(1.5 * m.scale * (1 + m.stretch) / 1.5)
    course = np.floor(v / high)
    along = u / long + 0.5 * (course % 2)
    brick = (np.floor(along).astype(np.int64) * 73 + course.astype(np.int64) * 179) % 512
    edge = np.minimum(0.5 - np.abs(along % 1 - 0.5), (0.5 - np.abs((v / high) % 1 - 0.5)) * high / long) * long
    return rng.random(512, dtype=np.float32)[brick] - 1.2 * np.exp(-edge)


def _cells(rng: Rng, height: int, width: int, m: Material) -> Field:
    """A mosaic of Voronoi cells, each of its own shade, with cracks between."""
    shade, edge = _voronoi(rng, height, width, m)
    return shade - np.exp(-edge / 1.5)


def _pebbles(rng: Rng, height: int, width: int, m: Material) -> Field:
    """Voronoi cells rounded into domes."""
    shade, edge = _voronoi(rng, height, width, m)
    return 0.6 * shade + 1.5 * np.sqrt(np.minimum(edge / np.float32(0.4 * m.scale), 1))


def _voronoi(rng: Rng, height: int, width: int, m: Material) -> tuple[Field, Field]:
    """Per pixel: the shade of its cell in [0, 1], and the distance to the cell's edge [px]."""
    count = max(4, int(height * width / max(5.0, m.scale) ** 2))
    away = np.full((height, width), 255, np.uint8)
    away[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    _, label = cv2.distanceTransformWithLabels(away, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    shade = rng.random(int(label.max()) + 1, dtype=np.float32)[label]
    inside = (cv2.morphologyEx(shade, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) == 0).astype(np.uint8)
    return shade, cv2.distanceTransform(inside, cv2.DIST_L2, 3)


def _leaves(rng: Rng, height: int, width: int, m: Material) -> Field:
    """The dead-leaves model: overlapping ellipses with power-law sizes, known for the statistics of natural images."""
    canvas = rng.integers(0, 256, (height, width), dtype=np.uint8)
    count = min(400, int(1.5 * height * width / m.scale**2) + 20)
    radius = np.clip(0.4 * m.scale * rng.random(count) ** -0.6, 2, 3 * m.scale).astype(int)
    x, y = rng.integers(0, width, count).tolist(), rng.integers(0, height, count).tolist()
    turn = np.degrees(m.angle + rng.normal(0, m.warp, count)).tolist()
    value = rng.integers(0, 256, count).tolist()
    for i, r in enumerate(sorted(radius.tolist(), reverse=True)):
        cv2.ellipse(canvas, (x[i], y[i]), (r, max(1, int(r / (0.5 + m.stretch)))), turn[i], 0, 360, value[i], -1)
    return canvas.astype(np.float32)


def _plain(rng: Rng, height: int, width: int, m: Material) -> Field:
    return noise(rng, height, width, 8 * m.scale) + 0.1 * noise(rng, height, width, 2.0)


_ALL = (
    *(_clouds, _ridges, _fibres, _grains, _bands, _wood, _spots),
    *(_weave, _tiles, _cells, _pebbles, _leaves, _plain),
)
PATTERNS: dict[str, Callable[[Rng, int, int, Material], Field]] = {f.__name__[1:]: f for f in _ALL}
