"""Figs. 7 and 8 of the paper: image, truth, prediction, errors and uncertainty of every method, side by side."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from uncertsam.figures.examples import Example, MethodMap
from uncertsam.figures.overlay import NAMES, counts, overlay
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import Sheet, sheet, write
from uncertsam.figures.style import INK, MUTED, PAPER, RULE, method_style, styled
from uncertsam.figures.table import labels
from uncertsam.metrics.masks import upsample

SHOWN = 256  # longest side of a picture in a cell, pixels
CELL, GAP, LEFT = 1.42, 0.07, 0.3  # width of a cell, gap between cells, room for the names of rows; inches
HEAD, CAPTION, BAR = 0.62, 0.2, 0.32  # heights of a block's heading, of a line under a cell, of a colour bar; inches
NATS = (0.0, math.log(2))  # the whole range of a binary entropy
BOX_COLOUR = "#FFD400"
HOW = (
    "Masks by rule: the {rules} of SAM 2's IoU in its dataset. Beside the whole image, every cell shows the part that "
    "holds box, truth and all predictions. Bright is unsure; maps of the same unit share one scale."
)

BINARY: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 255}

View = tuple[int, int, int, int]  # left, top, right, bottom; pixels, right and bottom exclusive
Scales = dict[str, tuple[float, float]]  # unit: lowest and highest colour


@dataclass(frozen=True)
class Cell:
    """One method's maps at the image's resolution."""

    source: MethodMap
    prediction: Bool[np.ndarray, "height width"]
    uncertainty: Float[np.ndarray, "height width"]


def qualitative(examples: Sequence[Example], stem: Path, provenance: str = "") -> list[Path]:
    """Draw a block of cells per example (see `examples.choose`): a column per method.

    Maps are upsampled as for the metrics. The table beside the picture has scores, pixel counts and colour scales.
    Returns the files written.
    """
    grids = [[_cell(example, drawn) for drawn in example.maps] for example in examples]
    scales = _scales([cell for grid in grids for cell in grid])
    views = [_view(example, grid) for example, grid in zip(examples, grids, strict=True)]
    frame = pd.concat([_rows(*one, scales) for one in zip(examples, grids, views, strict=True)], ignore_index=True)
    with styled():
        top = sum(_height(view, scales) for view in views)
        page = _sheet(examples, top, frame, provenance)
        for example, grid, view in zip(examples, grids, views, strict=True):
            _draw_block(Block(page, top, view), example, grid, frame, scales)
            top -= _height(view, scales)
        return write(page.figure, frame, stem)


def _cell(example: Example, drawn: MethodMap) -> Cell:
    logits, uncertainty = (upsample(low, *example.truth.shape) for low in (drawn.logits, drawn.uncertainty))
    return Cell(drawn, logits > 0, uncertainty)


def _scales(cells: Sequence[Cell]) -> Scales:
    """The range of colours per unit: all of a binary entropy's, else from 0 to the largest value shown."""
    scales = {}
    for unit in dict.fromkeys(cell.source.unit for cell in cells):
        values = [cell.uncertainty for cell in cells if cell.source.unit == unit]
        low, high = min(0.0, *(float(v.min()) for v in values)), max(float(v.max()) for v in values)
        scales[unit] = NATS if unit == "nats" else (low, high if high > low else low + 1.0)
    return scales


def _view(example: Example, grid: Sequence[Cell]) -> View:
    """The part of the image that holds box, truth and every prediction, with an eighth of its size around it."""
    shown = example.truth | np.logical_or.reduce([cell.prediction for cell in grid])
    x0, y0, x1, y1 = example.box
    columns = np.append(np.flatnonzero(shown.any(axis=0)), [x0, x1])
    rows = np.append(np.flatnonzero(shown.any(axis=1)), [y0, y1])
    height, width = shown.shape
    margin = 8 + max(np.ptp(columns), np.ptp(rows)) / 8
    left, top = max(0, int(columns.min() - margin)), max(0, int(rows.min() - margin))
    return left, top, min(width, int(columns.max() + margin) + 1), min(height, int(rows.max() + margin) + 1)


def _rows(example: Example, grid: Sequence[Cell], view: View, scales: Scales) -> pd.DataFrame:
    """The numbers behind one block, a row per method."""
    fixed = vars(example.choice) | dict(zip(("x0", "y0", "x1", "y1"), example.box, strict=True))
    fixed |= dict(zip(("view_left", "view_top", "view_right", "view_bottom"), view, strict=True))
    flags = {"synthetic": example.synthetic, "quality": example.quality, "note": example.note}
    rows = []
    for cell in grid:
        scores = {name: cell.source.scores.get(name, math.nan) for name in ("iou", "pearson")}
        levels = {"mean_uncertainty": float(cell.uncertainty.mean()), "max_uncertainty": float(cell.uncertainty.max())}
        ends = dict(zip(("scale_low", "scale_high"), scales[cell.source.unit], strict=True))
        pixels = counts(example.truth, cell.prediction, example.ignored)
        names = {"method": cell.source.method, "unit": cell.source.unit}
        rows.append(fixed | names | scores | pixels | levels | ends | flags)
    return pd.DataFrame(rows)


def _sheet(examples: Sequence[Example], height: float, frame: pd.DataFrame, provenance: str) -> Sheet:
    columns = 1 + max(len(example.maps) for example in examples)
    width = 2 * LEFT - GAP + columns * (CELL + GAP)
    title = "Examples: " + ", ".join(labels(frame).values())
    rules = " and the ".join(frame["rule"].drop_duplicates())
    return sheet((width, height), title, HOW.format(rules=rules), footnotes(frame), provenance)


def _tall(view: View) -> float:
    """The height of a cell in inches; very wide and very tall views get a frame that is less so."""
    left, top, right, bottom = view
    return CELL * float(np.clip((bottom - top) / (right - left), 0.55, 1.4))


def _height(view: View, scales: Scales) -> float:
    row = _tall(view) + CAPTION
    return HEAD + 2 * row + max(row, 0.75 + BAR * len(scales))


@dataclass(frozen=True)
class Block:
    """Three rows of cells below a heading; `top` is its upper edge in inches, `view` what its cells show."""

    page: Sheet
    top: float
    view: View

    def corner(self, column: int, row: int) -> tuple[float, float]:
        """The upper left corner of a cell, in inches."""
        left = LEFT / 2 + column * (CELL + GAP) + (LEFT if column else 0)
        return left, self.top - HEAD - row * (_tall(self.view) + CAPTION)

    def axes(self, column: int, row: int) -> Axes:
        left, top = self.corner(column, row)
        tall = _tall(self.view)
        axes = self.page.figure.add_axes(self.page.place(left, top - tall, CELL, tall))
        axes.set(xticks=[], yticks=[], anchor="S")
        axes.spines[:].set(visible=True, color=RULE, linewidth=0.5)
        return axes

    def write(self, at: tuple[float, float], text: str, **look: Any) -> None:
        x, y, *_ = self.page.place(*at, 0.0, 0.0)
        self.page.figure.text(x, y, text, **{"va": "top", "fontsize": 7.5, **look})

    def picture(self, column: int, row: int, picture: np.ndarray, caption: str = "", **look: Any) -> None:
        """Show the part of a full-size picture that is in view, and a caption below it."""
        left, top, right, bottom = self.view
        self.axes(column, row).imshow(_shrunk(picture[top:bottom, left:right]), **look)
        x, y = self.corner(column, row)
        self.write((x + CELL / 2, y - _tall(self.view) - 0.03), caption, color=MUTED, ha="center", fontsize=7)


def _draw_block(block: Block, example: Example, grid: Sequence[Cell], frame: pd.DataFrame, scales: Scales) -> None:
    chosen = example.choice
    mine = [chosen.dataset, chosen.image_id, chosen.mask_id]
    rows = frame[(frame[["dataset", "image_id", "mask_id"]] == mine).all(axis=1)]
    name = labels(rows)[chosen.dataset]
    heading = f"{name}: {chosen.rule}, image {chosen.image_id}, mask {chosen.mask_id}"
    block.write((LEFT / 2, block.top - 0.04), heading, fontsize=9, fontweight="bold")
    _prompt(block, example)
    block.picture(0, 1, _grey(example.truth, example.ignored), "truth", **BINARY)
    _keys(block, scales)
    for column, cell in enumerate(grid, start=1):
        _column(block, column, example, cell, rows[rows["method"] == cell.source.method].iloc[0])
    for rank, text in enumerate(("prediction", "right and wrong", "uncertainty")):
        left, top = block.corner(1, rank)
        at = (left - 0.05, top - _tall(block.view) / 2)
        block.write(at, text, rotation=90, ha="right", va="center", color=MUTED)


def _column(block: Block, column: int, example: Example, cell: Cell, row: pd.Series) -> None:
    """One method: its prediction, that prediction against the truth, and its uncertainty."""
    style = method_style(cell.source.method)
    left, top = block.corner(column, 0)
    x, y, width, height = block.page.place(left, top + 0.05, CELL, 0.03)
    block.page.figure.add_artist(Rectangle((x, y), width, height, color=style.colour, linewidth=0))
    block.write((left, top + 0.1), textwrap.fill(style.label, 20), va="bottom", color=INK)
    block.picture(column, 0, _grey(cell.prediction, example.ignored), _score("IoU", row["iou"]), **BINARY)
    block.picture(column, 1, overlay(example.image, example.truth, cell.prediction, example.ignored))
    scale = {"cmap": "magma", "vmin": row["scale_low"], "vmax": row["scale_high"]}
    block.picture(column, 2, cell.uncertainty, _score("ρ", row["pearson"]), **scale)


def _prompt(block: Block, example: Example) -> None:
    """The whole image with the box prompt and, dashed, the part that the other cells show."""
    height, width = example.truth.shape
    axes = block.axes(0, 0)
    axes.imshow(_shrunk(example.image), extent=(0, width, height, 0))
    x0, y0, x1, y1 = example.box
    frames: list[tuple[tuple[float, ...], str, Any]] = [((x0, y0, x1 + 1, y1 + 1), BOX_COLOUR, "-")]
    if block.view != (0, 0, width, height):
        frames.append((block.view, PAPER, (0, (2, 2))))
    for (left, top, right, bottom), colour, line in frames:
        for edge, thick in ((INK, 2.0), (colour, 1.2)):  # the dark rim shows on bright photos
            look: dict[str, Any] = {"edgecolor": edge, "linewidth": thick, "linestyle": line, "fill": False}
            axes.add_patch(Rectangle((left, top), right - left, bottom - top, **look))
    x, y = block.corner(0, 0)
    block.write((x + CELL / 2, y - _tall(block.view) - 0.03), "image and box", color=MUTED, ha="center", fontsize=7)


def _keys(block: Block, scales: Scales) -> None:
    """What the colours mean: of the overlay, and of each unit of uncertainty."""
    left, top = block.corner(0, 2)
    handles = [Patch(color=[level / 255 for level in colour], label=name) for name, colour in NAMES.items()]  # type: ignore[arg-type]
    x, y, *_ = block.page.place(left, top, 0.0, 0.0)
    look: dict[str, Any] = {"fontsize": 7, "borderpad": 0, "borderaxespad": 0, "handlelength": 1.2}
    block.page.figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(x, y), **look)
    for rank, (unit, (low, high)) in enumerate(scales.items()):
        below = top - 0.62 - BAR * rank
        axes = block.page.figure.add_axes(block.page.place(left, below, 0.92 * CELL, 0.08))
        axes.imshow(np.linspace(0, 1, 256)[None], aspect="auto", extent=(0, 1, 0, 1), cmap="magma")
        axes.set_yticks([])
        axes.set_xticks([0, 0.5, 1], labels=[f"{low:.2g}", f"uncertainty [{unit}]", f"{high:.2g}"], fontsize=6.5)
        axes.tick_params(pad=1.5)


def _score(name: str, value: float) -> str:
    return f"{name} {value:.2f}" if math.isfinite(value) else f"{name} has no value"


def _grey(mask: Bool[np.ndarray, "h w"], ignored: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """A mask as a picture: white on black, void pixels between."""
    return np.where(ignored, 128, mask * 255).astype(np.uint8)


def _shrunk(picture: np.ndarray) -> np.ndarray:
    """A picture of at most SHOWN pixels a side, averaged over areas; a smaller one as it is."""
    height, width = picture.shape[:2]
    scale = SHOWN / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
