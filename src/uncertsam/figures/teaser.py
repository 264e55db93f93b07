"""Figs. 1 and 2 of the paper in one: a mask that fails, and what every method says about it."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.patches import Rectangle
from scipy.special import expit

from uncertsam.figures._panels import (
    BINARY,
    MaskPanel,
    Scales,
    View,
    bar_name,
    cells_of,
    grey,
    numbers_of,
    range_of,
    scales_of,
    score,
    shared_bars,
    show_prompt,
    tall,
    view_of,
)
from uncertsam.figures.examples import Example
from uncertsam.figures.overlay import axes_at, colour_bar, key_of_overlay, overlay, resized
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import Sheet, sheet, write
from uncertsam.figures.style import INK, MUTED, method_style, styled
from uncertsam.statistics.selection import labels

COLUMNS, CELL, GAP, SIDE = 5, 1.5, 0.09, 0.12  # cells in a row, width of one, gap between two, margin; inches
NAME, CAPTION, BAR = 0.42, 0.24, 0.34  # heights: names above a cell, line below it, a colour bar; inches
HOW = (
    "Not picked by hand: {rule}. Below, where each method says that this mask may be wrong. Bright is unsure; a good "
    "map looks like the error. Maps of one measure share a scale; others have their own below."
)
MAGMA: dict[str, Any] = {"cmap": "magma"}


def teaser(example: Example, stem: Path, provenance: str = "") -> list[Path]:
    """Draw one mask (see `examples.choose_failure`): prompt, truth, SAM 2's mask and error, all maps of U.

    Where `sam` is not among the methods, the first one stands for it. Returns the files written.
    """
    cells = cells_of(example)
    scales, view = scales_of(cells), view_of(example, cells)
    frame = numbers_of(example, cells, view, scales)
    rows = 1 + -(-len(cells) // COLUMNS)
    with styled():
        chosen, name = example.choice, labels(frame)[example.choice.dataset]
        title = f"Where may the mask be wrong? {name}, image {chosen.image_id}, mask {chosen.mask_id}"
        width = 2 * SIDE + COLUMNS * (CELL + GAP) - GAP
        high = NAME + tall(view, CELL) + CAPTION
        size = (width, rows * high)
        page = sheet(size, title, HOW.format(rule=chosen.rule), footnotes(frame), provenance)
        board = _Board(page, rows * high, view)
        bars = shared_bars(scales, cells)
        _failure(board, example, next((c for c in cells if c.source.method == "sam"), cells[0]), bars)
        for rank, cell in enumerate(cells):
            _map(board, rank, cell, scales[cell.source.measure], range_of(cell, scales, bars))
        return write(page.figure, frame, stem)


@dataclass(frozen=True)
class _Board:
    """Rows of equal cells; `top` is the upper edge of the first in inches, `view` what the cells show."""

    page: Sheet
    top: float
    view: View

    def corner(self, column: int, row: int) -> tuple[float, float]:
        """The upper left corner of a cell's picture, in inches."""
        return SIDE + column * (CELL + GAP), self.top - NAME - row * (NAME + tall(self.view, CELL) + CAPTION)

    def axes(self, column: int, row: int, name: str, caption: str = "") -> Any:
        """Empty axes for a picture, with a name above and a line below."""
        (left, top), high = self.corner(column, row), tall(self.view, CELL)
        self._write((left, top + 0.1), textwrap.fill(name, 24), color=INK, va="bottom", fontsize=8)
        self._write((left + CELL / 2, top - high - 0.03), caption, color=MUTED, va="top", ha="center", fontsize=7)
        axes = axes_at(self.page, (left, top - high, CELL, high))
        axes.set(xticks=[], yticks=[], anchor="N")
        return axes

    def line(self, column: int, row: int, colour: str) -> None:
        """A method's colour above its cell."""
        left, top = self.corner(column, row)
        x, y, width, height = self.page.place(left, top + 0.05, CELL, 0.03)
        self.page.figure.add_artist(Rectangle((x, y), width, height, color=colour, linewidth=0))

    def part(self, picture: np.ndarray) -> np.ndarray:
        """The part of a full-size picture that is in view, shrunk."""
        left, top, right, bottom = self.view
        return resized(picture[top:bottom, left:right])

    def _write(self, at: tuple[float, float], text: str, **look: Any) -> None:
        x, y, *_ = self.page.place(*at, 0.0, 0.0)
        self.page.figure.text(x, y, text, **look)


def _failure(board: _Board, example: Example, first: MaskPanel, shared: Scales) -> None:
    """The first row: what was asked, what is true, what the model answered, how wrong it is; and the keys."""
    label = method_style(first.source.method).label
    show_prompt(board.axes(0, 0, "Image and box"), example, board.view)
    board.axes(1, 0, "Truth").imshow(board.part(grey(example.truth, example.ignored)), **BINARY)
    mask = overlay(example.image, example.truth, first.prediction, example.ignored)
    caption = score("IoU", first.source.scores.get("iou", np.nan))
    board.axes(2, 0, f"{label}'s mask", caption).imshow(board.part(mask))
    wrong = board.axes(3, 0, f"{label}'s error |P - M|")
    wrong.imshow(board.part(error_of(example, first)), vmin=0, vmax=1, **MAGMA)
    left, top = board.corner(4, 0)
    key_of_overlay(board.page, (left, top))
    bars: Scales = {"error |P - M|": (0.0, 1.0)} | {bar_name(name): ends for name, ends in shared.items()}
    for rank, (name, ends) in enumerate(bars.items()):
        colour_bar(board.page, (left, top - 0.62 - BAR * rank), 0.92 * CELL, name, ends)


def error_of(example: Example, cell: MaskPanel) -> Float[np.ndarray, "height width"]:
    """|P - M| in [0, 1], with the probability P of the upsampled logit and the truth M; 0 in void pixels."""
    return np.where(example.ignored, 0.0, np.abs(expit(cell.logits.astype(float)) - example.truth))


def _map(board: _Board, rank: int, cell: MaskPanel, ends: tuple[float, float], told: str) -> None:
    """One method's uncertainty; `told` is what the caption says of its scale."""
    row, column = divmod(rank, COLUMNS)
    style, (low, high) = method_style(cell.source.method), ends
    board.line(column, row + 1, style.colour)
    caption = score("ρ", cell.source.scores.get("pearson", np.nan)) + told
    axes = board.axes(column, row + 1, style.label, caption)
    axes.imshow(board.part(cell.uncertainty), vmin=low, vmax=high, **MAGMA)
