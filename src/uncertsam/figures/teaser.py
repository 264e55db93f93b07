"""Figs. 1 and 2 of the paper in one: a mask that fails, and what every method says about it."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from scipy.special import expit

from uncertsam.figures._panels import (
    BINARY,
    Grid,
    MaskPanel,
    Scales,
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
from uncertsam.figures.overlay import colour_bar, key_of_overlay, overlay
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import sheet, write
from uncertsam.figures.style import method_style, styled
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
        page = sheet((width, rows * high), title, HOW.format(rule=chosen.rule), footnotes(frame), provenance)
        board = Grid(page, view, CELL, lambda x, y: (SIDE + x * (CELL + GAP), (rows - y) * high - NAME))
        bars = shared_bars(scales, cells)
        _failure(board, example, next((c for c in cells if c.source.method == "sam"), cells[0]), bars)
        for rank, cell in enumerate(cells):
            _map(board, rank, cell, scales[cell.source.measure], range_of(cell, scales, bars))
        return write(page.figure, frame, stem)


def _failure(board: Grid, example: Example, first: MaskPanel, shared: Scales) -> None:
    """The first row: what was asked, what is true, what the model answered, how wrong it is; and the keys."""
    label, iou = method_style(first.source.method).label, first.source.scores.get("iou", np.nan)
    mask = overlay(example.image, example.truth, first.prediction, example.ignored)
    show_prompt(_cell(board, 0, 0, "Image and box"), example, board.view)
    board.show(_cell(board, 1, 0, "Truth"), grey(example.truth, example.ignored), **BINARY)
    board.show(_cell(board, 2, 0, f"{label}'s mask", score("IoU", iou)), mask)
    wrong = _cell(board, 3, 0, f"{label}'s error |P - M|")
    board.show(wrong, error_of(example, first), vmin=0, vmax=1, **MAGMA)
    left, top = board.at(4, 0)
    key_of_overlay(board.page, (left, top))
    bars: Scales = {"error |P - M|": (0.0, 1.0)} | {bar_name(name): ends for name, ends in shared.items()}
    for rank, (name, ends) in enumerate(bars.items()):
        colour_bar(board.page, (left, top - 0.62 - BAR * rank), 0.92 * CELL, name, ends)


def _cell(board: Grid, column: int, row: int, name: str, caption: str = "", colour: str = "") -> Axes:
    board.name(column, row, textwrap.fill(name, 24), 8.0, colour)
    return board.axes(column, row, caption, "N")


def error_of(example: Example, cell: MaskPanel) -> Float[np.ndarray, "height width"]:
    """|P - M| in [0, 1], with the probability P of the upsampled logit and the truth M; 0 in void pixels."""
    return np.where(example.ignored, 0.0, np.abs(expit(cell.logits.astype(float)) - example.truth))


def _map(board: Grid, rank: int, cell: MaskPanel, ends: tuple[float, float], told: str) -> None:
    """One method's uncertainty; `told` is what the caption says of its scale."""
    row, column = divmod(rank, COLUMNS)
    style, (low, high) = method_style(cell.source.method), ends
    caption = score("ρ", cell.source.scores.get("pearson", np.nan)) + told
    axes = _cell(board, column, row + 1, style.label, caption, style.colour)
    board.show(axes, cell.uncertainty, vmin=low, vmax=high, **MAGMA)
