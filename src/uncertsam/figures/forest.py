"""Differences to a reference as a forest plot: a row per method, a dot per dataset, a diamond over the datasets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from uncertsam.base.errors import UserError
from uncertsam.catalogue import BASELINES, METHODS, in_order, metric_facts
from uncertsam.figures.bars import GAP, WIDTH
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import bands, sheet, ticks, write
from uncertsam.figures.style import INK, MUTED, PAPER, method_style, styled

DRAWN = [
    "metric", "method", "scope", "dataset", "difference", "low", "high", "n_images", "outcome", "note", "synthetic",
    "quality",
]  # fmt: skip
ROW, NAMES = 0.4, 2.1  # height of a row, room for the names of the methods; inches
UNTESTED, SAME = "not tested", "identical"


def forest(
    frame: pd.DataFrame, reference: str, metrics: Sequence[str], stem: Path, provenance: str = "", title: str = ""
) -> list[Path]:
    """Draw a panel per metric from rows of `answers.csv`; left and right are as the numbers lie, the better side named.

    A hollow dot is a dataset that is not tested. A method that shares its mask with the reference has its row and says
    so. Raises UserError where nothing was compared.
    """
    drawn = frame[(frame["reference"] == reference) & frame["metric"].isin(list(metrics))][DRAWN]
    if drawn.empty:
        raise UserError(
            f"Nothing was compared with {reference} by {', '.join(metrics)}.",
            "Add them to compare.references and compare.metrics.",
        )
    names = in_order(drawn["method"], METHODS)
    body = ROW * len(names)
    label = method_style(reference).label
    title = title or f"Is any method better than {label}{'' if reference in BASELINES else ' itself'}?"
    how = (
        f"Difference to {label} on the same masks, with its interval (images resampled). "
        "Left of the line it is smaller, right of it larger; the arrow says which is better."
    )
    notes = footnotes(drawn[drawn["scope"] == "dataset"])
    with styled():
        page = sheet((WIDTH, body + 0.95), title, how, notes, provenance)
        page.legend(_keys(), body + 0.68, 0.25)
        for metric, axes in zip(metrics, page.columns(len(metrics), NAMES, GAP, 0.3, body), strict=True):
            bands(axes, [method_style(name).label if metric == metrics[0] else "" for name in names])
            _panel(axes, drawn[drawn["metric"] == metric], metric, names)
        return write(page.figure, drawn.reset_index(drop=True), stem)


def _keys() -> list[Line2D]:
    plain: dict[str, Any] = {"color": MUTED, "linestyle": "none", "markersize": 5}
    return [
        Line2D([], [], **plain | {"color": INK, "markersize": 7}, marker="D", label="over datasets"),
        Line2D([], [], **plain, marker="o", label="a dataset"),
        Line2D([], [], **plain, marker="o", markerfacecolor=PAPER, label="a dataset that is not tested"),
    ]


def _panel(axes: Axes, rows: pd.DataFrame, metric: str, names: Sequence[str]) -> None:
    axes.axvline(0, color=INK, linewidth=1, zorder=1)
    moved = rows[rows["difference"].notna() & (rows["difference"] != 0)]  # exactly 0 is said in words
    for row in moved.itertuples():
        draw = _diamond if row.scope == "overall" else _dot
        draw(axes, names.index(str(row.method)), row)
    _zoom(axes, rows, names)
    ticks(axes.xaxis, 4)
    axes.set_title(metric_facts(metric).title)


def _dot(axes: Axes, place: int, row: Any) -> None:
    """A dataset, above the middle of its method's row, without its interval: the table has it."""
    colour = method_style(row.method).colour
    face = PAPER if row.outcome == UNTESTED else colour
    axes.plot(row.difference, place - 0.2, "o", markersize=4, markerfacecolor=face, markeredgecolor=colour, alpha=0.85)


def _diamond(axes: Axes, place: int, row: Any) -> None:
    colour = method_style(row.method).colour
    axes.plot([row.low, row.high], [place + 0.12] * 2, color=colour, linewidth=2)
    axes.plot(row.difference, place + 0.12, "D", markersize=6.5, markerfacecolor=colour, markeredgecolor=INK)


def _zoom(axes: Axes, rows: pd.DataFrame, names: Sequence[str]) -> None:
    """The naive baselines lie far off: the axis shows the other methods, and names what is outside."""
    near = rows[[not method_style(str(name)).baseline for name in rows["method"]]]
    shown = near if near["difference"].notna().any() else rows
    lines = shown[shown["scope"] == "overall"]
    low = min(0.0, shown["difference"].min(), *lines["low"].dropna())
    high = max(0.0, shown["difference"].max(), *lines["high"].dropna())
    room = 0.16 * (high - low) or 1.0
    axes.set_xlim(low - room, high + room)
    for place, name in enumerate(names):
        _say(axes, place, rows[rows["method"] == name], low - room, high + room)


def _say(axes: Axes, place: int, mine: pd.DataFrame, low: float, high: float) -> None:
    """What the axis cannot show of a row: that it is the same everywhere, or where its mean lies outside."""
    overall = mine[mine["scope"] == "overall"]["difference"]
    value = float(overall.iloc[0]) if len(overall) else float("nan")
    if (mine.loc[mine["scope"] == "overall", "outcome"] == SAME).any():
        text, x, side = "same mask and probability", 0.5, "center"
    elif value < low:
        text, x, side = f"← {value:+.2f}", 0.0, "left"
    elif value > high:
        text, x, side = f"{value:+.2f} →", 1.0, "right"
    else:
        return
    where = axes.get_yaxis_transform()
    under = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}  # over the line at 0
    axes.text(x, place, text, transform=where, ha=side, va="center", fontsize=7.5, color=MUTED, bbox=under)
