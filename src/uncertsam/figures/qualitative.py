"""Figs. 7 and 8 of the paper: image, truth, prediction, errors and uncertainty of every method, side by side."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.figures._panels import (
    BINARY,
    Grid,
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
from uncertsam.figures.overlay import colour_bar, key_of_overlay, overlay
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import Sheet, sheet, write
from uncertsam.figures.style import MUTED, method_style, styled
from uncertsam.statistics.selection import labels

CELL, GAP, LEFT = 1.42, 0.07, 0.3  # width of a cell, gap between cells, room for the names of rows; inches
HEAD, NAMES, CAPTION, BAR = 0.62, 0.44, 0.2, 0.32  # heights: heading, names of methods, line under a cell, colour bar
MOST = 5  # methods side by side: more go below, or the cells become too small to read
HOW = (
    "Masks by rule: the {rules} of SAM 2's IoU in its dataset. Beside the whole image, every cell shows the part that "
    "holds box, truth and all predictions. Bright is unsure. Maps of one measure share a scale; "
    "others have their own below."
)


Colours = tuple[Scales, Scales]  # of every measure, and those that have a bar


def qualitative(examples: Sequence[Example], stem: Path, provenance: str = "") -> list[Path]:
    """Draw a block of cells per example (see `examples.choose`): a column per method, in strips of at most `MOST`.

    Maps are upsampled as for the metrics. The table beside the picture has scores, pixel counts and colour scales.
    Returns the files written.
    """
    grids = [cells_of(example) for example in examples]
    scales = scales_of([cell for grid in grids for cell in grid])
    views = [view_of(example, grid) for example, grid in zip(examples, grids, strict=True)]
    frame = pd.concat([numbers_of(*one, scales) for one in zip(examples, grids, views, strict=True)], ignore_index=True)
    with styled():
        bars = shared_bars(scales, [cell for grid in grids for cell in grid])
        heights = [sum(_heights(view, bars, grid)) for view, grid in zip(views, grids, strict=True)]
        page, top = _sheet(examples, sum(heights), frame, provenance), sum(heights)
        for example, grid, view, height in zip(examples, grids, views, heights, strict=True):
            _draw_block(page, top, view, example, grid, frame, (scales, bars))
            top -= height
        return write(page.figure, frame, stem)


def strips(count: int) -> list[slice]:
    """So many methods in rows of at most `MOST`, as even as can be, the longer ones first."""
    parts = np.array_split(np.arange(count), math.ceil(count / MOST))
    return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]


def _sheet(examples: Sequence[Example], height: float, frame: pd.DataFrame, provenance: str) -> Sheet:
    columns = 1 + max(strips(len(example.maps))[0].stop for example in examples)
    width = 2 * LEFT - GAP + columns * (CELL + GAP)
    title = "Examples: " + ", ".join(labels(frame).values())
    rules = " and the ".join(frame["rule"].drop_duplicates())
    return sheet((width, height), title, HOW.format(rules=rules), footnotes(frame), provenance)


def _heights(view: View, bars: Scales, grid: Sequence[MaskPanel]) -> list[float]:
    """The height of each strip of a block; the first one has the heading and, on the left, the keys."""
    row = tall(view, CELL) + CAPTION
    return [HEAD + 2 * row + max(row, 0.75 + BAR * len(bars))] + [NAMES + 3 * row] * (len(strips(len(grid))) - 1)


def _grid(page: Sheet, view: View, top: float) -> Grid:
    """Three rows of cells below `top`; the first column stands apart."""
    step = tall(view, CELL) + CAPTION
    return Grid(page, view, CELL, lambda x, y: (LEFT / 2 + x * (CELL + GAP) + (LEFT if x else 0), top - y * step))


def _draw_block(
    page: Sheet, top: float, view: View, example: Example, grid: Sequence[MaskPanel], frame: pd.DataFrame,
    colours: Colours,
) -> None:  # fmt: skip
    chosen = example.choice
    mine = [chosen.dataset, chosen.image_id, chosen.mask_id]
    rows = frame[(frame[["dataset", "image_id", "mask_id"]] == mine).all(axis=1)]
    name, block = labels(rows)[chosen.dataset], _grid(page, view, top - HEAD)
    heading = f"{name}: {chosen.rule}, image {chosen.image_id}, mask {chosen.mask_id}"
    block.write((LEFT / 2, top - 0.04), heading, va="top", fontsize=9, fontweight="bold")
    _left(block, example, colours[1])
    for part, height in zip(strips(len(grid)), _heights(view, colours[1], grid), strict=True):
        _strip(block, example, grid[part], rows, colours)
        top -= height
        block = _grid(page, view, top - NAMES)


def _left(block: Grid, example: Example, bars: Scales) -> None:
    """The first column: prompt, truth, and what the colours mean."""
    show_prompt(block.axes(0, 0, "image and box"), example, block.view)
    block.show(block.axes(0, 1, "truth"), grey(example.truth, example.ignored), **BINARY)
    left, top = block.at(0, 2)
    key_of_overlay(block.page, (left, top))
    for rank, (measure, ends) in enumerate(bars.items()):
        colour_bar(block.page, (left, top - 0.62 - BAR * rank), 0.92 * CELL, bar_name(measure), ends)


def _strip(block: Grid, example: Example, grid: Sequence[MaskPanel], rows: pd.DataFrame, colours: Colours) -> None:
    for column, cell in enumerate(grid, start=1):
        told = range_of(cell, *colours)
        _column(block, column, example, cell, rows[rows["method"] == cell.source.method].iloc[0], told)
    for rank, text in enumerate(("prediction", "right and wrong", "uncertainty")):
        left, top = block.at(1, rank)
        at = (left - 0.05, top - block.high / 2)
        block.write(at, text, rotation=90, ha="right", va="center", color=MUTED, fontsize=7.5)


def _column(block: Grid, column: int, example: Example, cell: MaskPanel, row: pd.Series, told: str) -> None:
    """One method: its prediction, that against the truth, and its uncertainty; `told`: of its scale."""
    style, scale = method_style(cell.source.method), {"vmin": row["scale_low"], "vmax": row["scale_high"]}
    block.name(column, 0, textwrap.fill(style.label, 20), 7.5, style.colour)
    mask = grey(cell.prediction, example.ignored)
    block.show(block.axes(column, 0, score("IoU", row["iou"])), mask, **BINARY)
    wrong = overlay(example.image, example.truth, cell.prediction, example.ignored)
    block.show(block.axes(column, 1), wrong)
    caption = score("ρ", row["pearson"]) + told
    block.show(block.axes(column, 2, caption), cell.uncertainty, cmap="magma", **scale)
