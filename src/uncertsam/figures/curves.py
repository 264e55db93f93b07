"""Curves over all pixels of a dataset, in small multiples: reliability diagrams, and risk against coverage."""

import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from uncertsam.base.errors import UserError
from uncertsam.catalogue import BASELINES, DATASETS, METHODS, in_order
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import Sheet, sheet, write
from uncertsam.figures.style import GRID, INK, MUTED, PAPER, MethodStyle, method_style, styled
from uncertsam.metrics.curves import KINDS, ORACLE, RELIABILITY, RISK
from uncertsam.statistics.selection import TOO_SMALL, labels, methods, too_small

WIDTH, MOST, LARGEST = 8.0, 4, 2.5  # of the sheet; panels in a row; widest panel. Inches
BESIDE, RIGHT, ABOVE, BELOW, FOOT = 0.45, 0.15, 0.34, 0.2, 0.16  # room around panels, and for the lowest names; inches
STRIP, SLIT = 0.36, 0.07  # height of the strip of shares, and of the slit above it; inches
RARE = 1e-4  # the smallest share of pixels that the strip shows

Panel = tuple[float, float, float, float]  # left, bottom, width, height; inches
Draw = Callable[[Sheet, Panel, pd.DataFrame, str, Sequence[bool]], None]


def reliability(curves: pd.DataFrame, frame: pd.DataFrame, stem: Path, provenance: str = "") -> list[Path]:
    """Draw, per dataset, how many pixels of a predicted probability are foreground, and below it their share.

    `curves` has the columns of `metrics.curves.curve_table`, `frame` those of `intervals.csv`. The naive baselines are
    left out: they have SAM 2's probability. Returns the files written; raises UserError where there is nothing to draw.
    """
    drawn = _chosen(curves[~curves["method"].isin(BASELINES)], frame, [RELIABILITY])
    how = (
        "Pixels by predicted probability of being object, in the ten bins of the calibration error: how many of them "
        "are object. On the diagonal the probability is right; below it there is less object than was said. "
        "Strip: the share of all pixels, on a logarithmic scale. Means over masks, each mask counting the same."
    )
    return _multiples(drawn, "Reliability of the probability", how, stem, provenance, 1.0, STRIP + SLIT, _reliability)


def risk_coverage(curves: pd.DataFrame, frame: pd.DataFrame, stem: Path, provenance: str = "") -> list[Path]:
    """Draw, per dataset, the share of wrong pixels among those kept when the least certain ones are set aside.

    Arguments as in `reliability`. Each point is the mean within its part of coverage, so that the mean of a curve's
    points is the mean AURC. The oracle is that of the first method, mostly SAM 2.
    """
    first = (methods(curves) or [""])[0]
    drawn = _chosen(curves[(curves["kind"] != ORACLE) | (curves["method"] == first)], frame, [RISK, ORACLE])
    how = (
        "Pixels are kept from certain to uncertain. Across: how many are kept; up: how many of these are wrong, "
        "mean over masks. Lower is better, and the mean height of a curve is its AURC. Each panel has its own scale."
    )
    return _multiples(drawn, "Wrong pixels among those kept", how, stem, provenance, 0.8, 0.0, _risk)


def _chosen(curves: pd.DataFrame, frame: pd.DataFrame, kinds: Sequence[str]) -> pd.DataFrame:
    """The rows of some kinds in the order in which they are drawn, with what must be said of their datasets."""
    rows = curves[curves["kind"].isin(list(kinds)) & curves["dataset"].isin(frame["dataset"])].reset_index(drop=True)
    if rows.empty:
        raise UserError(f"There is no curve of {' or '.join(kinds)}.", "Run the measure and tabulate stages again.")
    facts = frame.drop_duplicates("dataset").set_index("dataset")
    rows = rows.assign(synthetic=rows["dataset"].map(facts["synthetic"]), quality=rows["dataset"].map(facts["quality"]))
    few = too_small(frame)
    rows["note"] = [TOO_SMALL if name in few else "" for name in rows["dataset"]]
    ranks = {"dataset": in_order(rows["dataset"], DATASETS), "method": in_order(rows["method"], METHODS), "kind": KINDS}
    order = pd.DataFrame({key: rows[key].map(list(names).index) for key, names in ranks.items()})
    return rows.loc[order.assign(part=rows["part"]).sort_values([*ranks, "part"]).index].reset_index(drop=True)


def _multiples(
    drawn: pd.DataFrame, title: str, how: str, stem: Path, provenance: str, aspect: float, extra: float, draw: Draw
) -> list[Path]:
    """A panel per dataset, `aspect` times as high as wide, and `extra` inches for what stands below it."""
    names = labels(drawn)
    columns = min(MOST, len(names))
    rows = math.ceil(len(names) / columns)
    across = min((WIDTH - RIGHT) / columns, LARGEST + BESIDE) - BESIDE
    down = ABOVE + across * aspect + extra + BELOW
    keys = _keys(drawn)
    legend = 0.2 * math.ceil(len(keys) / 3) + 0.2
    with styled():
        page = sheet((WIDTH, rows * down + FOOT + legend), title, how, footnotes(drawn), provenance)
        page.legend(keys, rows * down + FOOT + 0.1, legend - 0.1)
        for rank, (dataset, label) in enumerate(names.items()):
            row, column = divmod(rank, columns)
            bottom = (rows - row - 1) * down + FOOT + BELOW + extra
            place = (column * (across + BESIDE) + BESIDE, bottom, across, across * aspect)
            ends = (column == 0, rank + columns >= len(names))  # leftmost, lowest
            draw(page, place, drawn[drawn["dataset"] == dataset], textwrap.fill(label, 20), ends)
        return write(page.figure, drawn, stem)


def _keys(drawn: pd.DataFrame) -> list[Line2D]:
    keys = [Line2D([], [], label=method_style(name).label, **_look(method_style(name))) for name in methods(drawn)]
    if (drawn["kind"] == ORACLE).any():
        owner = method_style(str(drawn.loc[drawn["kind"] == ORACLE, "method"].iloc[0])).label
        keys.append(Line2D([], [], label=f"Best possible order ({owner})", **ORACLE_LOOK))
    return keys


ORACLE_LOOK: dict[str, Any] = {"color": INK, "linestyle": (0, (1, 1.6)), "linewidth": 1.1}


def _look(style: MethodStyle) -> dict[str, Any]:
    edge: dict[str, Any] = {"markeredgecolor": PAPER, "markeredgewidth": 0.3, "markersize": 4.6}
    return {"color": style.colour, "marker": style.marker, "linestyle": style.line, "linewidth": 1.2, **edge}


def _axes(page: Sheet, place: Panel) -> Axes:
    axes = page.figure.add_axes(page.place(*place))
    axes.grid(visible=True)
    axes.tick_params(labelsize=6.5, pad=2)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    return axes


def _reliability(page: Sheet, place: Panel, rows: pd.DataFrame, name: str, ends: Sequence[bool]) -> None:
    left, bottom, width, _ = place
    axes = _axes(page, place)
    axes.set(ylim=(0, 1), yticks=[0, 0.5, 1], xticks=[0, 0.5, 1], xticklabels=[], title=name)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    strip = _axes(page, (left, bottom - SLIT - STRIP, width, STRIP))
    strip.set(yscale="log", ylim=(RARE, 1.5), yticks=[RARE, 1e-2, 1], xticks=[0, 0.5, 1])
    strip.set_yticks([RARE, 1e-2, 1], labels=["0.01 %", "1 %", "100 %"], fontsize=5.5)
    strip.yaxis.set_minor_locator(NullLocator())
    for method in methods(rows)[::-1]:
        look, mine = _look(method_style(method)), rows[(rows["method"] == method) & (rows["weight"] > 0)]
        axes.plot(mine["x"], mine["y"], clip_on=False, **look)
        strip.plot(mine["x"], mine["weight"].clip(lower=RARE), **{**look, "marker": ""})
    _name(axes, strip, ends, "share that is object", "predicted probability")


def _risk(page: Sheet, place: Panel, rows: pd.DataFrame, name: str, ends: Sequence[bool]) -> None:
    axes = _axes(page, place)
    axes.set_title(name)
    for rank, method in reversed(list(enumerate(methods(rows)))):
        look, mine = _look(method_style(method)), rows[(rows["method"] == method) & (rows["kind"] == RISK)]
        axes.plot(mine["x"], mine["y"], **{**look, "marker": ""})
        some = mine.iloc[1 + rank :: 10]  # where curves coincide, marks in different places show them all
        axes.plot(some["x"], some["y"], **{**look, "linestyle": "", "zorder": 3})
    best = rows[rows["kind"] == ORACLE]
    axes.plot(best["x"], best["y"], **ORACLE_LOOK)
    axes.set_ylim(0, max(1.08 * float(rows["y"].max()), 1e-6))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    _name(axes, axes, ends, "share wrong", "share of pixels kept")


def _name(upper: Axes, lower: Axes, ends: Sequence[bool], y: str, x: str) -> None:
    """Name the axes at the edge of the grid only."""
    leftmost, lowest = ends
    upper.set_ylabel(y if leftmost else "", fontsize=7, color=MUTED, labelpad=2)
    lower.set_xlabel(x if lowest else "", fontsize=7, color=MUTED, labelpad=2)
    for axes in {upper, lower}:
        axes.spines[:].set_color(GRID)
