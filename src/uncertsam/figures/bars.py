"""Means with their 95 % intervals, grouped by dataset: the radars' numbers as dots, mask quality as bars."""

import math
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from uncertsam.catalogue import BASELINES, QUALITY, metric_facts
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import sheet, write
from uncertsam.figures.style import GRID, INK, MUTED, PAPER, WHERE, MethodStyle, method_style, styled
from uncertsam.statistics.selection import TOO_SMALL, chosen, labels, marks, methods

DRAWN = ["mean_masks", "low", "high", "n_images"]
WIDTH, NAMES, GAP = 8.0, 1.45, 0.25  # of the sheet, of the column of dataset names, between panels; inches
HOW = "Mean over masks with its 95 % interval (bootstrap over images). ↑ higher, ↓ lower is better."


def bars(
    frame: pd.DataFrame, metrics: Sequence[str], stem: Path, provenance: str = "", region: str = "full"
) -> list[Path]:
    """Draw a panel per metric: a dot per method and its interval, grouped by dataset.

    `frame` has the columns of `intervals.csv`. A NaN leaves its row empty and says so. Returns the files written.
    """
    drawn = chosen(frame, metrics, DRAWN, region)
    title = ", ".join(metric_facts(metric).title for metric in metrics)
    return _draw(drawn, metrics, stem, title, HOW + WHERE.get(region, ""), provenance, _dot)


def mask_quality(
    frame: pd.DataFrame,
    stem: Path,
    provenance: str = "",
    metrics: Sequence[str] = QUALITY,
    region: str = "full",
    title: str = "Quality of the masks",
) -> list[Path]:
    """Draw mean IoU and boundary IoU (the metrics of Table 1) as bars with intervals.

    The naive baselines are left out: they have an uncertainty of their own, but the mask of `sam`.
    """
    drawn = chosen(frame[~frame["method"].isin(BASELINES)], metrics, DRAWN, region)
    return _draw(drawn, metrics, stem, title, HOW + WHERE.get(region, ""), provenance, _bar)


Mark = Callable[[Axes, float, Any, MethodStyle, float], None]


def _draw(
    drawn: pd.DataFrame, metrics: Sequence[str], stem: Path, title: str, subtitle: str, provenance: str, mark: Mark
) -> list[Path]:
    names, datasets = methods(drawn), list(labels(drawn).values())
    body = max(0.45, 0.15 * len(names) + 0.15) * len(datasets)
    legend = 0.2 * math.ceil(len(names) / 3) + 0.15
    head = 0.6 if len(metrics) > 1 else 0.4  # room for the titles of panels
    panel = (WIDTH - NAMES - GAP * len(metrics)) / len(metrics)
    with styled():
        page = sheet((WIDTH, body + legend + head), title, subtitle, footnotes(drawn), provenance)
        corner = page.place(0.0, head + body, WIDTH, legend)
        page.figure.legend(
            handles=[_key(name, mark) for name in names], loc="center left", ncols=3, bbox_to_anchor=corner
        )
        for column, metric in enumerate(metrics):
            axes = page.figure.add_axes(page.place(NAMES + column * (panel + GAP), 0.3, panel, body))
            _bands(axes, datasets, named=column == 0)
            _panel(axes, drawn, metric, mark)
            axes.set_title(metric_facts(metric).title if len(metrics) > 1 else "")
        return write(page.figure, drawn, stem)


def _bands(axes: Axes, names: list[str], named: bool) -> None:
    """A band per dataset, first on top, every other one shaded."""
    for rank in range(1, len(names), 2):
        axes.axhspan(rank - 0.5, rank + 0.5, color=GRID, alpha=0.45, linewidth=0, zorder=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    lines = [textwrap.fill(name, 18, break_long_words=False) for name in names] if named else [""] * len(names)
    axes.set_yticks(range(len(names)), labels=lines, fontsize=8.5, color=INK)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")


def _panel(axes: Axes, drawn: pd.DataFrame, metric: str, mark: Mark) -> None:
    names, datasets, found = methods(drawn), list(labels(drawn)), marks(drawn)
    step = 1 / (len(names) + 1)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:g}")
    for rank, dataset in enumerate(datasets):
        for place, name in enumerate(names):
            row, style = found.get((dataset, name, metric)), method_style(name)
            y = rank + (place - (len(names) - 1) / 2) * step
            if row is None:
                where = axes.get_yaxis_transform()
                axes.text(0.01, y, f"{style.label}: no value", transform=where, fontsize=6, color=MUTED, va="center")
            else:
                mark(axes, y, row, style, step)


def _dot(axes: Axes, y: float, row: Any, style: MethodStyle, step: float) -> None:
    """A mark on its interval; hollow on a dotted line where the images are too few."""
    few = row.note == TOO_SMALL
    axes.plot([row.low, row.high], [y, y], color=style.colour, linestyle=":" if few else "-", linewidth=1.5)
    face = PAPER if few else style.colour
    axes.plot(row.mean_masks, y, style.marker, markersize=5.5, markerfacecolor=face, markeredgecolor=style.colour)


def _bar(axes: Axes, y: float, row: Any, style: MethodStyle, step: float) -> None:
    """A bar from 0 with its value; pale where the images are too few."""
    alpha = 0.4 if row.note == TOO_SMALL else 1.0
    axes.barh(y, row.mean_masks, height=0.82 * step, color=style.colour, alpha=alpha)
    axes.plot([row.low, row.high], [y, y], color=INK, linewidth=1)
    end = np.nanmax([row.mean_masks, row.high])
    axes.update_datalim([(1.12 * end, y)])  # room for the value
    axes.annotate(f"{row.mean_masks:.2f}", (end, y), (3, 0), textcoords="offset points", va="center", fontsize=6.5)


def _key(name: str, mark: Mark) -> Artist:
    style = method_style(name)
    if mark is _bar:
        return Patch(color=style.colour, label=style.label)
    return Line2D([], [], color=style.colour, marker=style.marker, markersize=5.5, label=style.label)
