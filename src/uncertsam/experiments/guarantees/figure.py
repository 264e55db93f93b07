"""What was promised and what came of it: the share that is missed and its price where it was calibrated, and elsewhere.

Above, per alpha: what the sets miss on the datasets that they were calibrated on, and how large they are. Below: the
same promise of one method, made on the row's dataset and tested on the column's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from uncertsam.base.errors import UserError
from uncertsam.catalogue import DATASETS, dataset_label, in_order
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import Sheet, bands, sheet, write
from uncertsam.figures.style import INK, MUTED, method_style, styled
from uncertsam.statistics.selection import labels, methods

WIDTH, NAMES, GAP, ROW = 8.0, 1.6, 0.22, 0.4  # of the sheet, of dataset names, between panels, of a row; inches
CELL, LETTER = 0.27, 0.062  # height of a row of the matrix, of a letter of the names that stand below it; inches
KEPT, BROKEN, WHOLE = "#BFDDF2", "#F0A582", "#E4E4E4"  # cells of the matrix
DARK = "#101418"  # on them, in the dark too
DRAWN = {"risk": ("fnr", "of_object", "everything"), "shift": ("fnr", "everything"), "whole": ("of_object",)}
HOW = (
    "Each mask is widened until it misses at most α of its object, on average over images (conformal risk control; "
    "means over random splits). Above: where it was calibrated; the dashed line is α, × is the whole image as the "
    "answer. Below: calibrated on the row, tested on the column; there nothing is promised."
)


def guarantees(frame: pd.DataFrame, stem: Path, provenance: str = "") -> list[Path]:
    """Draw rows of `guarantees.csv`, for its smallest and its largest alpha; the matrix is that of the first method.

    Returns the files written. Raises UserError where nothing was promised.
    """
    drawn = _chosen(frame)
    alphas = sorted(drawn["setting"].dropna().unique())
    alphas = alphas[:1] + alphas[1:][-1:]
    names = in_order(drawn["dataset"], DATASETS)
    panel = (WIDTH - NAMES - GAP * 2 * len(alphas)) / (2 * len(alphas))
    upper, lower = ROW * len(names), CELL * len(names)
    below = 0.15 + LETTER * max(len(dataset_label(name)) for name in names)
    foot = below + lower + 0.65
    with styled():
        page = sheet((WIDTH, foot + upper + 0.75), "What can be promised", HOW, footnotes(drawn), provenance)
        page.legend(_keys(drawn), foot + upper + 0.3, 0.45, 4, fontsize=7.5)
        for rank, alpha in enumerate(alphas):
            left, mine = NAMES + rank * 2 * (panel + GAP), drawn[drawn["setting"] == alpha]
            _promised(page, (left, foot, panel, upper), mine, drawn[drawn["part"] == "whole"], names)
            _matrix(page, (left, below, 2 * panel, lower), mine, names, rank == 0)
        return write(page.figure, drawn, stem)


def _chosen(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that are drawn, in an order of their own."""
    first = (methods(frame) or [""])[0]
    wanted = [frame[(frame["part"] == part) & frame["metric"].isin(told)] for part, told in DRAWN.items()]
    rows = pd.concat(wanted)
    rows = rows[(rows["part"] != "shift") | (rows["method"] == first)]
    if not (rows["part"] == "risk").any():
        raise UserError("Nothing was promised.", "Run the guarantee stage again.")
    keys = ["part", "setting", "dataset", "calibrated_on", "method", "metric"]
    return rows.sort_values(keys, ignore_index=True)


Place = tuple[float, float, float, float]  # left, bottom, width, height; inches


def _keys(drawn: pd.DataFrame) -> list[Line2D]:
    plain: dict[str, Any] = {"linestyle": "none", "markersize": 5}
    styles = [method_style(name) for name in methods(drawn)]
    marks = [Line2D([], [], color=s.colour, marker=s.marker, label=s.label, **plain) for s in styles]
    return [*marks, Line2D([], [], color=MUTED, marker="x", label="the whole image", **plain)]


def _promised(page: Sheet, place: Place, rows: pd.DataFrame, whole: pd.DataFrame, names: Sequence[str]) -> None:
    """Two panels: what is missed, and the area of the set over that of the object."""
    left, bottom, width, height = place
    alpha, risk = float(rows["setting"].iloc[0]), rows[rows["part"] == "risk"]
    missed = page.figure.add_axes(page.place(left, bottom, width, height))
    told = labels(risk)
    bands(missed, [told[name] if left == NAMES else "" for name in names], 7.0)
    missed.axvline(alpha, color=INK, linewidth=1, linestyle=(0, (4, 2)))
    _dots(missed, risk[risk["metric"] == "fnr"], names)
    missed.set_xlim(-0.1 * alpha, 1.35 * alpha)
    missed.xaxis.set_major_locator(MaxNLocator(3))
    missed.xaxis.set_major_formatter("{x:g}")
    missed.set_title(f"missed, α = {alpha:g}", fontsize=8)
    size = page.figure.add_axes(page.place(left + width + GAP, bottom, width, height))
    bands(size, [""] * len(names), 7.0)
    size.set_xscale("log")
    _dots(size, risk[risk["metric"] == "of_object"], names)
    for dataset, area in whole.groupby("dataset")["value"].first().items():
        size.plot(area, names.index(str(dataset)), "x", color=MUTED, markersize=5)
    size.xaxis.set_major_formatter("{x:g}")
    size.xaxis.set_minor_locator(NullLocator())
    size.set_title("area / object's", fontsize=8)


def _dots(axes: Axes, rows: pd.DataFrame, names: Sequence[str]) -> None:
    """A dot per method within the row of each dataset."""
    order = methods(rows)
    for dataset, method, value in zip(rows["dataset"], rows["method"], rows["value"], strict=True):
        style, place = method_style(method), order.index(method) - (len(order) - 1) / 2
        y = names.index(dataset) + 0.8 * place / len(order)
        axes.plot(value, y, style.marker, color=style.colour, markersize=3.8, clip_on=False)


def _matrix(page: Sheet, place: Place, rows: pd.DataFrame, names: Sequence[str], named: bool) -> None:
    """The mean share that is missed: calibrated on the row's dataset, tested on the column's."""
    axes = page.figure.add_axes(page.place(*place))
    first, alpha = methods(rows)[0], float(rows["setting"].iloc[0])
    told = rows[rows["method"] == first].set_index(["calibrated_on", "dataset", "metric"])["value"]
    for y, source in enumerate(names):
        for x, tested in enumerate(names):
            if (source, tested, "fnr") in told.index:
                value, everything = (float(told[source, tested, name]) for name in ("fnr", "everything"))
                _cell(axes, x, y, value, WHOLE if everything == 1 else BROKEN if value > alpha else KEPT)
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))
    short = [dataset_label(name) for name in names]
    axes.set_xticks(range(len(names)), labels=short, rotation=90, fontsize=6.5)
    axes.set_yticks(range(len(names)), labels=short if named else [""] * len(names), fontsize=6.5)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{method_style(first).label}: missed elsewhere, α = {alpha:g}", fontsize=8)


def _cell(axes: Axes, x: int, y: int, value: float, colour: str) -> None:
    """Blue: kept; orange: broken; grey: the answer was the whole image, which promises all and tells nothing."""
    axes.barh(y, 0.94, left=x - 0.47, height=0.9, color=colour)
    text = "all" if colour == WHOLE else f"{value:.2f}".removeprefix("0")
    weight = "bold" if colour == BROKEN else "normal"
    axes.text(x, y, text, ha="center", va="center", fontsize=6, color=DARK, fontweight=weight)
