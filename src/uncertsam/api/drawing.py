"""Pictures of one answer: an overlay of the picture's own size, and a figure with scales and a title."""

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from uncertsam.api.prediction import Prediction
from uncertsam.figures.sheet import Sheet, sheet
from uncertsam.figures.style import INK, PAPER, RULE, method_style, spoken, styled

LONGEST = 900  # pixels of a panel; larger pictures are shrunk
BAND = 256  # rows drawn at a time: memory
PANEL, GAP, HEAD, FOOT = 3.2, 0.12, 0.25, 0.4  # width of a panel, gaps, room for its title and its scale; inches
FOREGROUND, BACKGROUND = 1, 0  # labels of clicks
BOX, OUTLINE, TINT = "#FFD400", "#00E5FF", (0, 229, 255)
ON, BESIDE = "#39D353", "#FF4D6D"  # clicks on the object and beside it

Place = tuple[float, float, float, float]  # left, bottom, width, height; inches within the body of the sheet


def limits(prediction: Prediction) -> tuple[float, float]:
    """The range of colours of U: all of a binary entropy's, so that maps compare; else from 0 to the map's largest."""
    if prediction.origin.unit == "nats":
        return 0.0, math.log(2)
    low, high = float(prediction.uncertainty.min()), float(prediction.uncertainty.max())
    return min(0.0, low), high if high > min(0.0, low) else low + 1.0


def overlay(prediction: Prediction) -> UInt8[np.ndarray, "h w 3"]:
    """The picture in pale grey, doubt glowing on it, the mask's outline around it; of the picture's own size."""
    low, high = limits(prediction)
    drawn = np.empty_like(prediction.picture)
    for top in range(0, len(drawn), BAND):
        rows = slice(top, top + BAND)
        doubt = ((prediction.uncertainty[rows] - low) / (high - low)).clip(0, 1)
        drawn[rows] = _glowing(prediction.picture[rows], doubt)
    thick = max(1, round(max(prediction.size) / 400))
    for width, colour in ((3 * thick, (0, 0, 0)), (thick, TINT)):  # the dark rim shows on bright pictures
        cv2.drawContours(drawn, _outlines(prediction.mask), -1, colour, width, cv2.LINE_AA)
    return drawn


def _glowing(picture: UInt8[np.ndarray, "h w 3"], doubt: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Grey where doubt is 0, the colour of 1 where it is 1."""
    glow = colormaps["magma"](0.15 + 0.85 * doubt, bytes=True)[..., :3].astype(np.float32)
    grey = picture.mean(axis=2, keepdims=True, dtype=np.float32) * 0.8
    weight = 0.9 * np.sqrt(doubt)[..., None]
    return ((1 - weight) * grey + weight * glow).round().astype(np.uint8)


def plot(prediction: Prediction) -> Figure:
    """The picture with prompt and mask, the probability, U and its parts, side by side.

    U's scale is that of `limits`; each part has its own, from 0 to its largest value, but at least to 0.1 % of U's.
    """
    panels = _panels(prediction)
    wide, tall = _panel_size(*prediction.size)
    with styled():
        size = ((1 + len(panels)) * (wide + GAP) + GAP, HEAD + tall + FOOT)
        page = sheet(size, _heading(prediction), _facts(prediction))
        places = [(GAP + k * (wide + GAP), FOOT, wide, tall) for k in range(1 + len(panels))]
        _picture(page, places[0], prediction)
        for place, panel in zip(places[1:], panels, strict=True):
            _map(page, place, prediction, panel)
        return page.figure


@dataclass(frozen=True)
class Panel:
    """A map with its title, its colours, what their ends stand for, and what its values are."""

    title: str
    values: Float[np.ndarray, "h w"]
    colours: str
    ends: tuple[float, float]
    about: str


def _panel_size(height: int, width: int) -> tuple[float, float]:
    """Width and height of a panel in inches: of the picture's proportions, unless it is a mere strip."""
    tall = PANEL * min(height / width, 1.4)
    return max(tall * width / height, PANEL / 2), max(tall, PANEL / 8)


def _panels(prediction: Prediction) -> list[Panel]:
    origin = prediction.origin
    unit = "" if origin.unit == "1" else origin.unit
    measure = origin.measure.removesuffix(" [1]")
    doubt = Panel("Uncertainty", prediction.uncertainty, "magma", limits(prediction), measure)
    found = [Panel("Probability of the object", prediction.probability, "gray", (0.0, 1.0), ""), doubt]
    floor = 1e-3 * (doubt.ends[1] - doubt.ends[0])  # less is rounding, and would be drawn as if it were something
    for name, part in prediction.decomposition.items():
        found.append(Panel(spoken(name), part, "magma", (0.0, max(float(part.max()), floor)), unit))
    return found


def _heading(prediction: Prediction) -> str:
    name = textwrap.shorten(prediction.origin.image, 40, placeholder="…")
    return f"{name}: {method_style(prediction.method).label}" if name else method_style(prediction.method).label


def _facts(prediction: Prediction) -> str:
    origin, share = prediction.origin, 100 * float(prediction.mask.mean())
    unit = "" if origin.unit == "1" else f" {origin.unit}"
    scores = f"predicted IoU {prediction.iou:.2f} · mean uncertainty {prediction.score:.3g}{unit}"
    return f"{scores} · the mask covers {share:.1f} % · {origin.model}"


def _picture(page: Sheet, place: Place, prediction: Prediction) -> None:
    inside = _shrunk(prediction.mask.astype(np.float32))[..., None]
    tinted = _shrunk(prediction.picture) * (1 - 0.35 * inside) + 0.35 * inside * np.array(TINT)
    picture = tinted.round().astype(np.uint8)
    axes = _show(page, place, prediction, picture, {})
    axes.set_title("Mask and prompt")
    _prompt(axes, prediction)
    x, y, *_ = page.place(place[0], FOOT - 0.08, 0.0, 0.0)
    look: dict[str, Any] = {
        "fontsize": 7.5,
        "borderpad": 0,
        "borderaxespad": 0,
        "handlelength": 1.2,
        "columnspacing": 1,
    }
    page.figure.legend(
        handles=_key(prediction),
        loc="upper left",
        bbox_to_anchor=(x, y),
        ncols=4 if place[2] > 0.8 * PANEL else 2,
        **look,
    )


def _key(prediction: Prediction) -> list[Patch]:
    """What is drawn on the picture, and nothing else."""
    asked = prediction.question
    handles = [Patch(facecolor=OUTLINE, alpha=0.6, edgecolor=OUTLINE, label="mask")]
    if asked.box is not None:
        handles.append(Patch(fill=False, edgecolor=BOX, linewidth=1.5, label="box"))
    kinds = ((FOREGROUND, ON, "click on it"), (BACKGROUND, BESIDE, "click beside it"))
    return handles + [Patch(color=colour, label=name) for kind, colour, name in kinds if (asked.labels == kind).any()]


def _prompt(axes: Axes, prediction: Prediction) -> None:
    asked = prediction.question
    if asked.box is not None:
        x0, y0, x1, y1 = asked.box
        for edge, thick in ((INK, 2.6), (BOX, 1.5)):
            shape = Rectangle((x0, y0), x1 + 1 - x0, y1 + 1 - y0, fill=False, edgecolor=edge, linewidth=thick)
            axes.add_patch(shape)
    for (x, y), label in zip(asked.points, asked.labels, strict=True):
        colour, marker = (ON, "P") if label else (BESIDE, "X")
        axes.plot(x + 0.5, y + 0.5, marker, color=colour, markeredgecolor=PAPER, markersize=9, clip_on=False)


def _map(page: Sheet, place: Place, prediction: Prediction, panel: Panel) -> None:
    """A map with the mask's outline on it and its scale below."""
    look = {"cmap": panel.colours, "vmin": panel.ends[0], "vmax": panel.ends[1]}
    _show(page, place, prediction, panel.values, look).set_title(panel.title)
    bar = page.figure.add_axes(page.place(place[0], FOOT - 0.18, place[2], 0.08))
    bar.imshow(np.linspace(0, 1, 256)[None], aspect="auto", extent=(0, 1, 0, 1), cmap=panel.colours)
    bar.set_yticks([])
    bar.set_xticks([0, 0.5, 1], labels=[f"{panel.ends[0]:.2g}", panel.about, f"{panel.ends[1]:.2g}"])
    bar.tick_params(pad=1.5)
    first, _, last = bar.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")


def _show(page: Sheet, place: Place, prediction: Prediction, picture: np.ndarray, look: dict[str, Any]) -> Axes:
    height, width = prediction.size
    axes = page.figure.add_axes(page.place(*place))
    axes.imshow(_shrunk(picture), extent=(0, width, height, 0), **look)
    for line in _outlines(prediction.mask):
        closed = np.concatenate([line, line[:1]])[:, 0] + 0.5
        axes.plot(*closed.T, color=INK, linewidth=2.2)
        axes.plot(*closed.T, color=OUTLINE, linewidth=1.2)
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    axes.spines[:].set(visible=True, color=RULE, linewidth=0.5)
    return axes


def _outlines(mask: Bool[np.ndarray, "h w"]) -> list[np.ndarray]:
    """Each outline's pixels [k, 1, 2] as x, y; the holes' too."""
    return list(cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0])


def _shrunk(picture: np.ndarray) -> np.ndarray:
    scale = LONGEST / max(picture.shape[:2])
    if scale >= 1:
        return picture
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
