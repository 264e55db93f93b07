"""Masks, maps and boxes on a picture: the one renderer of the figures, of an answer's files and of the demo's page.

Nothing here reads or sets Matplotlib's settings (rcParams), which all threads share.
"""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Rectangle

from uncertsam.figures.sheet import Sheet
from uncertsam.figures.style import INK, MUTED, RULE

# errors stand out by hue and lightness also for the colour-blind; what is right stays pale, the rest grey and dark
RIGHT, TOO_MUCH, MISSED, IGNORED = (214, 226, 234), (240, 123, 32), (48, 130, 230), (120, 120, 120)
NAMES = {"right (TP)": RIGHT, "too much (FP)": TOO_MUCH, "missed (FN)": MISSED}
BOX, OUTLINE = "#FFD400", "#00E5FF"
SHOWN = 256  # longest side of a picture in a cell of a figure, pixels
BAND = 256  # rows drawn at a time: memory

# what an artist would else take from rcParams
IMAGE: dict[str, Any] = {"origin": "upper", "interpolation": "auto", "interpolation_stage": "auto", "resample": True}
TICKS: dict[str, Any] = {"length": 0, "width": 0.8, "pad": 1.5, "colors": MUTED, "direction": "out"}
KEY: dict[str, Any] = {"labelcolor": INK, "frameon": False, "borderpad": 0, "borderaxespad": 0, "handlelength": 1.2}
KEY |= {"handleheight": 0.7, "handletextpad": 0.8, "labelspacing": 0.5, "columnspacing": 1}

Rgb = UInt8[np.ndarray, "h w 3"]
Map = Float[np.ndarray, "h w"]
Mask = Bool[np.ndarray, "h w"]


def rgb(code: str) -> tuple[int, int, int]:
    """A colour such as #00E5FF as three numbers in [0, 255]."""
    red, green, blue = (round(255 * value) for value in to_rgb(code))
    return red, green, blue


def resized(picture: np.ndarray, longest: int = SHOWN, enlarged: bool = False) -> np.ndarray:
    """With this longest side, averaged over areas; a smaller picture as it is, unless it is to be `enlarged`."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1 and not enlarged:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def ends_of(maps: Sequence[Map], entropy: bool) -> tuple[float, float]:
    """The range of colours: all of a binary entropy's, so that maps compare; else from 0 or below to the largest."""
    low, high = min(0.0, *(float(values.min()) for values in maps)), max(float(values.max()) for values in maps)
    return (0.0, math.log(2)) if entropy else (low, high if high > low else low + 1.0)


def heat(values: Map, ends: tuple[float, float]) -> Rgb:
    """A map in colours, from the first end to the second."""
    return colormaps["magma"](_share(values, ends), bytes=True)[..., :3].copy()


def _share(values: Map, ends: tuple[float, float]) -> Map:
    return ((values - ends[0]) / max(ends[1] - ends[0], 1e-12)).clip(0, 1)


def tinted(picture: Rgb, mask: Map, weight: float) -> Rgb:
    """The picture with the outline's colour laid over a mask in [0, 1]."""
    share = weight * mask[..., None]
    return (picture * (1 - share) + share * np.array(rgb(OUTLINE), np.float32)).round().astype(np.uint8)


def outlines(mask: Mask) -> list[np.ndarray]:
    """Each outline's pixels [k, 1, 2] as x, y; the holes' too."""
    return list(cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0])


def outlined(drawn: Rgb, mask: Bool[np.ndarray, "rows columns"], thick: int, rim: int = 2) -> Rgb:
    """Draw the outline of a mask of any size, with a dark rim that shows on bright pictures."""
    height, width = drawn.shape[:2]
    if mask.shape != (height, width):
        mask = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    for colour, line in (((0, 0, 0), thick + rim), (rgb(OUTLINE), thick)):
        cv2.drawContours(drawn, outlines(mask), -1, colour, line, cv2.LINE_AA)
    return drawn


def glowing(picture: Rgb, mask: Mask, doubt: Map, ends: tuple[float, float]) -> Rgb:
    """The picture in pale grey, doubt glowing on it, the mask's outline around it."""
    drawn = np.empty_like(picture)
    for rows in (slice(top, top + BAND) for top in range(0, len(drawn), BAND)):
        share = _share(doubt[rows], ends)
        grey = picture[rows].mean(axis=2, keepdims=True, dtype=np.float32) * 0.8
        weight = 0.9 * np.sqrt(share)[..., None]  # grey where doubt is 0, the colour of 1 where it is 1
        glow = heat(0.15 + 0.85 * share, (0.0, 1.0)).astype(np.float32)
        drawn[rows] = ((1 - weight) * grey + weight * glow).round().astype(np.uint8)
    thick = max(1, round(max(mask.shape) / 400))
    return outlined(drawn, mask, thick, 2 * thick)


def overlay(image: Rgb, truth: Mask, prediction: Mask, ignored: Mask | None = None) -> Rgb:
    """Tint the image, in [0, 255], by true positives, false positives and false negatives; void pixels become grey."""
    grey = image.mean(axis=2, keepdims=True)
    picture = np.repeat(0.45 * grey, 3, axis=2)
    wrong = [(prediction & ~truth, TOO_MUCH, 0.85), (truth & ~prediction, MISSED, 0.85)]
    for part, colour, weight in [(truth & prediction, RIGHT, 0.6), *wrong]:
        picture[part] = (1 - weight) * grey[part] + weight * np.array(colour)
    if ignored is not None:
        picture[ignored] = IGNORED
    return picture.round().astype(np.uint8)


def counts(truth: Mask, prediction: Mask, ignored: Mask) -> dict[str, int]:
    """True positives, false positives and false negatives in pixels; void pixels count nowhere."""
    parts = {"tp": truth & prediction, "fp": prediction & ~truth, "fn": truth & ~prediction}
    return {name: int((part & ~ignored).sum()) for name, part in parts.items()}


def axes_at(page: Sheet, place: tuple[float, float, float, float], line: float = 0.5) -> Axes:
    """Empty axes with a frame, at left, bottom, width and height in inches within the body."""
    axes = page.figure.add_axes(page.place(*place), facecolor="none", axisbelow=True)
    axes.grid(False)
    axes.minorticks_off()
    axes.spines[:].set(visible=True, color=RULE, linewidth=line)
    return axes


def frame(axes: Axes, corners: Sequence[float], colour: str, thick: float = 1.2, rim: float = 0.8, **more: Any) -> None:
    """A rectangle from x0, y0 to x1, y1, with a dark rim that shows on bright photos."""
    x0, y0, x1, y1 = corners
    for edge, width in ((INK, thick + rim), (colour, thick)):
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=edge, linewidth=width, **more))


def colour_bar(
    page: Sheet, at: tuple[float, float], wide: float, name: str, ends: tuple[float, float], cmap: str = "magma"
) -> Axes:
    """A thin bar of all colours with a name and its ends; lower left corner and width in inches."""
    axes = axes_at(page, (*at, wide, 0.08), 0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.imshow(np.linspace(0, 1, 256)[None], aspect="auto", extent=(0, 1, 0, 1), cmap=cmap, **IMAGE)
    axes.set_yticks([])
    axes.set_xticks([0, 0.5, 1], labels=[f"{ends[0]:.2g}", name, f"{ends[1]:.2g}"])
    axes.xaxis.set_tick_params(**TICKS, labelsize=6.5, bottom=True, top=False, labelbottom=True, labeltop=False)
    return axes


def key(page: Sheet, at: tuple[float, float], handles: Sequence[Patch], size: float = 7, columns: int = 1) -> None:
    """What colours mean; the upper left corner in inches."""
    x, y, *_ = page.place(*at, 0.0, 0.0)
    look: dict[str, Any] = KEY | {"fontsize": size, "ncols": columns}
    page.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(x, y), **look)


def key_of_overlay(page: Sheet, at: tuple[float, float]) -> None:
    """What the colours of a mask against the truth mean; the upper left corner in inches."""
    colours = {name: (red / 255, green / 255, blue / 255) for name, (red, green, blue) in NAMES.items()}
    key(page, at, [Patch(color=colour, label=name) for name, colour in colours.items()])
