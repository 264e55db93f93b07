"""Pictures of one answer: an overlay of the picture's own size, and a figure with scales and a title.

Matplotlib's settings (rcParams) belong to the caller and are shared by all threads: they are neither changed nor asked.
"""

import io
import math
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.text import Text

from uncertsam.app.api.prediction import Prediction
from uncertsam.catalogue import method_facts, spoken
from uncertsam.figures.sheet import Sheet, sheet
from uncertsam.figures.style import INK, MUTED, PAPER, RULE

LONGEST = 900  # pixels of a panel; larger pictures are shrunk
BAND = 256  # rows drawn at a time: memory
PANEL, GAP, HEAD, FOOT = 3.2, 0.12, 0.25, 0.4  # width of a panel, gaps, room for its title and its scale; inches
FOREGROUND, BACKGROUND = 1, 0  # labels of clicks
BOX, OUTLINE, TINT = "#FFD400", "#00E5FF", (0, 229, 255)
ON, BESIDE = "#39D353", "#FF4D6D"  # clicks on the object and beside it

# what an artist would else take from rcParams
LINE: dict[str, Any] = {
    "linestyle": "-",
    "marker": "",
    "solid_capstyle": "round",
    "solid_joinstyle": "round",
    "antialiased": True,
}
IMAGE: dict[str, Any] = {"origin": "upper", "interpolation": "auto", "interpolation_stage": "auto", "resample": True}
WORDS: dict[str, Any] = {
    "fontfamily": "DejaVu Sans",
    "fontstyle": "normal",
    "fontstretch": "normal",
    "fontvariant": "normal",
}
WORDS |= {"parse_math": False, "usetex": False, "antialiased": True}
TICKS: dict[str, Any] = {"length": 0, "width": 0.8, "pad": 1.5, "colors": MUTED, "labelsize": 7.5, "direction": "out"}

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
    size = ((1 + len(panels)) * (wide + GAP) + GAP, HEAD + tall + FOOT)
    page = sheet(size, _heading(prediction), _facts(prediction), kind=_Shown)
    places = [(GAP + k * (wide + GAP), FOOT, wide, tall) for k in range(1 + len(panels))]
    _picture(page, places[0], prediction)
    for place, panel in zip(places[1:], panels, strict=True):
        _map(page, place, prediction, panel)
    for artist in page.figure.findobj():
        _settle(artist)
    return page.figure


def _settle(artist: Artist) -> None:
    """Take back what an artist has from rcParams."""
    artist.set(sketch_params=None, path_effects=[])
    if isinstance(artist, Text):
        artist.set(**WORDS, fontweight="bold" if float(artist.get_fontsize()) > 9 else "normal")  # headings are larger
    if isinstance(artist, Patch):
        artist.set_antialiased(True)


def write_png(figure: Figure, file: Path | io.BytesIO) -> None:
    """The figure at its own resolution, whatever `savefig` is set to do."""
    before = figure.canvas
    try:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})  # type: ignore[no-untyped-call]
    finally:
        figure.set_canvas(before)


class _Shown(Figure):
    """A figure that a notebook shows, even where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        write_png(self, file)
        return file.getvalue()


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
    return f"{name}: {method_facts(prediction.method).label}" if name else method_facts(prediction.method).label


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
    _title(axes, "Mask and prompt")
    _prompt(axes, prediction)
    x, y, *_ = page.place(place[0], FOOT - 0.08, 0.0, 0.0)
    look: dict[str, Any] = {
        "fontsize": 7.5,
        "labelcolor": INK,
        "frameon": False,
        "borderpad": 0,
        "borderaxespad": 0,
        "handlelength": 1.2,
        "handleheight": 0.7,
        "handletextpad": 0.8,
        "labelspacing": 0.5,
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
    handles = [Patch(facecolor=OUTLINE, alpha=0.6, edgecolor=OUTLINE, linewidth=1, label="mask")]
    if asked.box is not None:
        handles.append(Patch(fill=False, edgecolor=BOX, linewidth=1.5, label="box"))
    clicks = [(ON, "click on it", FOREGROUND), (BESIDE, "click beside it", BACKGROUND)]
    asked_for = [(colour, name) for colour, name, kind in clicks if (asked.labels == kind).any()]
    return handles + [Patch(color=colour, linewidth=1, label=name) for colour, name in asked_for]


def _prompt(axes: Axes, prediction: Prediction) -> None:
    asked = prediction.question
    if asked.box is not None:
        x0, y0, x1, y1 = asked.box
        for edge, thick in ((INK, 2.6), (BOX, 1.5)):
            shape = Rectangle((x0, y0), x1 + 1 - x0, y1 + 1 - y0, fill=False, edgecolor=edge, linewidth=thick)
            axes.add_patch(shape)
    for (x, y), label in zip(asked.points, asked.labels, strict=True):
        colour, marker = (ON, "P") if label else (BESIDE, "X")
        look = LINE | {"marker": marker, "markersize": 9, "markeredgewidth": 1, "fillstyle": "full"}
        axes.plot(x + 0.5, y + 0.5, **look, color=colour, markerfacecolor=colour, markeredgecolor=PAPER, clip_on=False)


def _map(page: Sheet, place: Place, prediction: Prediction, panel: Panel) -> None:
    """A map with the mask's outline on it and its scale below."""
    look = {"cmap": panel.colours, "vmin": panel.ends[0], "vmax": panel.ends[1]}
    _title(_show(page, place, prediction, panel.values, look), panel.title)
    bar = _axes(page, (place[0], FOOT - 0.18, place[2], 0.08))
    bar.spines[["top", "right"]].set_visible(False)
    bar.imshow(np.linspace(0, 1, 256)[None], aspect="auto", extent=(0, 1, 0, 1), cmap=panel.colours, **IMAGE)
    bar.set_yticks([])
    bar.set_xticks([0, 0.5, 1], labels=[f"{panel.ends[0]:.2g}", panel.about, f"{panel.ends[1]:.2g}"])
    bar.xaxis.set_tick_params(**TICKS, bottom=True, top=False, labelbottom=True, labeltop=False)
    for label, side in zip(bar.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set(horizontalalignment=side)


def _show(page: Sheet, place: Place, prediction: Prediction, picture: np.ndarray, look: dict[str, Any]) -> Axes:
    height, width = prediction.size
    axes = _axes(page, place)
    axes.imshow(_shrunk(picture), extent=(0, width, height, 0), aspect="equal", **IMAGE, **look)
    for line in _outlines(prediction.mask):
        closed = np.concatenate([line, line[:1]])[:, 0] + 0.5
        axes.plot(*closed.T, **LINE, color=INK, linewidth=2.2)
        axes.plot(*closed.T, **LINE, color=OUTLINE, linewidth=1.2)
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    axes.spines[:].set_linewidth(0.5)
    return axes


def _axes(page: Sheet, place: Place) -> Axes:
    axes = page.figure.add_axes(page.place(*place), facecolor="none", axisbelow=True)
    axes.grid(False)
    axes.minorticks_off()
    axes.spines[:].set(visible=True, color=RULE, linewidth=0.8)
    return axes


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, {"fontsize": 9.5, "fontweight": "bold", "color": INK}, loc="left", pad=6, y=1.0)


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
