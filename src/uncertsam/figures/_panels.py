"""What pictures of single masks share: the part of the image in view, scales of colour, and the numbers behind them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from uncertsam.figures.examples import Example, MethodMap
from uncertsam.figures.overlay import BOX, axes_at, counts, ends_of, frame, resized
from uncertsam.figures.sheet import Sheet
from uncertsam.figures.style import INK, MUTED, PAPER

ENTROPY = "predictive entropy [nats]"
BINARY: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255}

View = tuple[int, int, int, int]  # left, top, right, bottom; pixels, right and bottom exclusive
Scales = dict[str, tuple[float, float]]  # measure: lowest and highest colour


@dataclass(frozen=True)
class MaskPanel:
    """One method's maps at the image's resolution; the mask is where the logit is above 0."""

    source: MethodMap
    logits: Float[np.ndarray, "height width"]
    uncertainty: Float[np.ndarray, "height width"]

    @property
    def prediction(self) -> Bool[np.ndarray, "height width"]:
        return self.logits > 0


@dataclass(frozen=True)
class Grid:
    """Cells of one width in columns and rows that show one view. at: the upper left corner of a cell. Inches."""

    page: Sheet
    view: View
    wide: float
    at: Callable[[int, int], tuple[float, float]]

    @property
    def high(self) -> float:
        """The height of a cell."""
        return tall(self.view, self.wide)

    def axes(self, column: int, row: int, caption: str = "", anchor: str = "S") -> Axes:
        """Empty axes for a picture, and a line below it."""
        left, top = self.at(column, row)
        axes = axes_at(self.page, (left, top - self.high, self.wide, self.high))
        axes.set(xticks=[], yticks=[], anchor=anchor)
        below = (left + self.wide / 2, top - self.high - 0.03)
        self.write(below, caption, color=MUTED, va="top", ha="center", fontsize=7)
        return axes

    def show(self, axes: Axes, picture: np.ndarray, **look: Any) -> None:
        """The part of a full-size picture that is in view, shrunk."""
        left, top, right, bottom = self.view
        axes.imshow(resized(picture[top:bottom, left:right]), **look)

    def name(self, column: int, row: int, text: str, size: float, colour: str = "") -> None:
        """What stands above a cell; a method has its colour there."""
        left, top = self.at(column, row)
        x, y, width, height = self.page.place(left, top + 0.05, self.wide, 0.03)
        if colour:
            self.page.figure.add_artist(Rectangle((x, y), width, height, color=colour, linewidth=0))
        self.write((left, top + 0.1), text, color=INK, va="bottom", fontsize=size)

    def write(self, at: tuple[float, float], text: str, **look: Any) -> None:
        x, y, *_ = self.page.place(*at, 0.0, 0.0)
        self.page.figure.text(x, y, text, **look)


def cells_of(example: Example) -> list[MaskPanel]:
    """Every method's maps, at the image's resolution as for the metrics."""
    size = example.truth.shape
    large = [(m, m.layout.to_picture) for m in example.maps]
    return [MaskPanel(m, to_picture(m.logits, size), to_picture(m.uncertainty, size)) for m, to_picture in large]


def scales_of(cells: Sequence[MaskPanel]) -> Scales:
    """The range of colours per measure, over all maps shown."""
    scales = {}
    for measure in dict.fromkeys(cell.source.measure for cell in cells):
        values = [cell.uncertainty for cell in cells if cell.source.measure == measure]
        scales[measure] = ends_of(values, measure == ENTROPY)
    return scales


def shared_bars(scales: Scales, cells: Sequence[MaskPanel]) -> Scales:
    """The scales that need a bar of their own: those of the measures that several methods share, or of all of one."""
    methods = {measure: {c.source.method for c in cells if c.source.measure == measure} for measure in scales}
    several = {measure: ends for measure, ends in scales.items() if len(methods[measure]) > 1}
    return several or scales


def bar_name(measure: str) -> str:
    """What stands below a bar: the whole name of the measure would be too long."""
    return f"uncertainty [{measure.partition('[')[2].rstrip(']') or '1'}]"


def range_of(cell: MaskPanel, scales: Scales, bars: Scales) -> str:
    """Below a map whose scale has no bar: its ends."""
    low, high = scales[cell.source.measure]
    return "" if cell.source.measure in bars else f" · {low:.2g} to {high:.2g}"


def view_of(example: Example, cells: Sequence[MaskPanel]) -> View:
    """The part of the image that holds box, truth and every prediction, with an eighth of its size around it."""
    shown = example.truth | np.logical_or.reduce([cell.prediction for cell in cells])
    x0, y0, x1, y1 = example.box
    columns = np.append(np.flatnonzero(shown.any(axis=0)), [x0, x1])
    rows = np.append(np.flatnonzero(shown.any(axis=1)), [y0, y1])
    height, width = shown.shape
    margin = 8 + max(np.ptp(columns), np.ptp(rows)) / 8
    left, top = max(0, int(columns.min() - margin)), max(0, int(rows.min() - margin))
    return left, top, min(width, int(columns.max() + margin) + 1), min(height, int(rows.max() + margin) + 1)


def numbers_of(example: Example, cells: Sequence[MaskPanel], view: View, scales: Scales) -> pd.DataFrame:
    """The numbers behind the pictures of one mask, a row per method."""
    fixed = vars(example.choice) | dict(zip(("x0", "y0", "x1", "y1"), example.box, strict=True))
    fixed |= dict(zip(("view_left", "view_top", "view_right", "view_bottom"), view, strict=True))
    flags = {"synthetic": example.synthetic, "quality": example.quality, "note": example.note}
    rows = []
    for cell in cells:
        scores = {name: cell.source.scores.get(name, math.nan) for name in ("iou", "pearson")}
        levels = {"mean_uncertainty": float(cell.uncertainty.mean()), "max_uncertainty": float(cell.uncertainty.max())}
        ends = dict(zip(("scale_low", "scale_high"), scales[cell.source.measure], strict=True))
        pixels = counts(example.truth, cell.prediction, example.ignored)
        names = {"method": cell.source.method, "unit": cell.source.unit}
        rows.append(fixed | names | scores | pixels | levels | ends | flags)
    return pd.DataFrame(rows)


def tall(view: View, wide: float) -> float:
    """The height of a cell so wide; very wide and very tall views get a frame that is less so."""
    left, top, right, bottom = view
    return wide * float(np.clip((bottom - top) / (right - left), 0.55, 1.4))


def show_prompt(axes: Axes, example: Example, view: View) -> None:
    """The whole image with the box prompt and, dashed, the part that the other cells show."""
    height, width = example.truth.shape
    axes.imshow(resized(example.image), extent=(0, width, height, 0))
    x0, y0, x1, y1 = example.box
    frame(axes, (x0, y0, x1 + 1, y1 + 1), BOX)
    if view != (0, 0, width, height):
        frame(axes, tuple(map(float, view)), PAPER, linestyle=(0, (2, 2)))


def score(name: str, value: float) -> str:
    """A score as it stands under a cell."""
    return f"{name} {value:.2f}" if math.isfinite(value) else f"{name} has no value"


def grey(mask: Bool[np.ndarray, "h w"], ignored: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """A mask as a picture: white on black, void pixels between."""
    return np.where(ignored, 128, mask * 255).astype(np.uint8)
