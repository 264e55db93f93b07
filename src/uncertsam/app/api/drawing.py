"""Pictures of one answer: an overlay of the picture's own size, and a figure with scales and a title.

Matplotlib's settings (rcParams) belong to the caller and are shared by all threads: they are neither changed nor asked.
"""

import io
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text

from uncertsam.app.api.prediction import Prediction
from uncertsam.catalogue import method_facts, spoken
from uncertsam.figures.overlay import (
    BOX,
    IMAGE,
    OUTLINE,
    axes_at,
    colour_bar,
    ends_of,
    frame,
    glowing,
    key,
    outlines,
    resized,
    tinted,
)
from uncertsam.figures.sheet import Sheet, sheet
from uncertsam.figures.style import INK, PAPER

LONGEST = 900  # pixels of a panel; larger pictures are shrunk
PANEL, GAP, HEAD, FOOT = 3.2, 0.12, 0.25, 0.4  # width of a panel, gaps, room for its title and its scale; inches
FOREGROUND, BACKGROUND = 1, 0  # labels of clicks
ON, BESIDE = "#39D353", "#FF4D6D"  # clicks on the object and beside it

# what an artist would else take from rcParams
LINE: dict[str, Any] = {"linestyle": "-", "marker": "", "solid_capstyle": "round", "solid_joinstyle": "round"}
LINE |= {"antialiased": True}
WORDS: dict[str, Any] = {"fontfamily": "DejaVu Sans", "fontstyle": "normal", "fontstretch": "normal"}
WORDS |= {"fontvariant": "normal", "parse_math": False, "usetex": False, "antialiased": True}

Place = tuple[float, float, float, float]  # left, bottom, width, height; inches within the body of the sheet


def limits(prediction: Prediction) -> tuple[float, float]:
    """The range of colours of U, as in the reports' figures."""
    return ends_of([prediction.uncertainty], prediction.origin.unit == "nats")


def overlay(prediction: Prediction) -> UInt8[np.ndarray, "h w 3"]:
    """The picture in pale grey, doubt glowing on it, the mask's outline around it; of the picture's own size."""
    return glowing(prediction.picture, prediction.mask, prediction.uncertainty, limits(prediction))


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
class _Panel:
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


def _panels(prediction: Prediction) -> list[_Panel]:
    origin = prediction.origin
    unit = "" if origin.unit == "1" else origin.unit
    measure = origin.measure.removesuffix(" [1]")
    doubt = _Panel("Uncertainty", prediction.uncertainty, "magma", limits(prediction), measure)
    found = [_Panel("Probability of the object", prediction.probability, "gray", (0.0, 1.0), ""), doubt]
    floor = 1e-3 * (doubt.ends[1] - doubt.ends[0])  # less is rounding, and would be drawn as if it were something
    for name, part in prediction.decomposition.items():
        found.append(_Panel(spoken(name), part, "magma", (0.0, max(float(part.max()), floor)), unit))
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
    inside = resized(prediction.mask.astype(np.float32), LONGEST)
    picture = tinted(resized(prediction.picture, LONGEST), inside, 0.35)
    axes = _show(page, place, prediction, picture, {})
    _title(axes, "Mask and prompt")
    _prompt(axes, prediction)
    key(page, (place[0], FOOT - 0.08), _key(prediction), 7.5, 4 if place[2] > 0.8 * PANEL else 2)


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
        frame(axes, (x0, y0, x1 + 1, y1 + 1), BOX, 1.5, 1.1)
    for (x, y), label in zip(asked.points, asked.labels, strict=True):
        colour, marker = (ON, "P") if label else (BESIDE, "X")
        look = LINE | {"marker": marker, "markersize": 9, "markeredgewidth": 1, "fillstyle": "full"}
        axes.plot(x + 0.5, y + 0.5, **look, color=colour, markerfacecolor=colour, markeredgecolor=PAPER, clip_on=False)


def _map(page: Sheet, place: Place, prediction: Prediction, panel: _Panel) -> None:
    """A map with the mask's outline on it and its scale below."""
    look = {"cmap": panel.colours, "vmin": panel.ends[0], "vmax": panel.ends[1]}
    _title(_show(page, place, prediction, panel.values, look), panel.title)
    bar = colour_bar(page, (place[0], FOOT - 0.18), place[2], panel.about, panel.ends, panel.colours)
    for label, side in zip(bar.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set(horizontalalignment=side, fontsize=7.5)


def _show(page: Sheet, place: Place, prediction: Prediction, picture: np.ndarray, look: dict[str, Any]) -> Axes:
    height, width = prediction.size
    axes = axes_at(page, place)
    axes.imshow(resized(picture, LONGEST), extent=(0, width, height, 0), aspect="equal", **IMAGE, **look)
    for line in outlines(prediction.mask):
        closed = np.concatenate([line, line[:1]])[:, 0] + 0.5
        axes.plot(*closed.T, **LINE, color=INK, linewidth=2.2)
        axes.plot(*closed.T, **LINE, color=OUTLINE, linewidth=1.2)
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    return axes


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, {"fontsize": 9.5, "fontweight": "bold", "color": INK}, loc="left", pad=6, y=1.0)
