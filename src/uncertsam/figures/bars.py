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

from uncertsam.catalogue import BASELINES, QUALITY, metric_facts
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import bands, sheet, ticks, write
from uncertsam.figures.style import INK, MUTED, PAPER, MethodStyle, method_style, styled
from uncertsam.statistics.selection import TOO_SMALL, chosen, labels, marks, methods

DRAWN = ["mean_masks", "low", "high", "n_images"]
WIDTH, NAMES, GAP = 8.0, 1.45, 0.25  # of the sheet, of the column of dataset names, between panels; inches
HOW = "Mean over masks with its 95 % interval (bootstrap over images). ↑ higher, ↓ lower is better."


def bars(frame: pd.DataFrame, metrics: Sequence[str], stem: Path, provenance: str = "") -> list[Path]:
    """Draw a panel per metric: a dot per method and its interval, grouped by dataset.

    `frame` has the columns of `intervals.csv`. A NaN leaves its row empty and says so. Returns the files written.
    """
    drawn = chosen(frame, metrics, DRAWN)
    title = ", ".join(metric_facts(metric).title for metric in metrics)
    return _draw(drawn, metrics, stem, title, provenance, _dot)


def mask_quality(
    frame: pd.DataFrame, stem: Path, provenance: str = "", title: str = "Quality of the masks"
) -> list[Path]:
    """Draw mean IoU and boundary IoU (the metrics of Table 1) as bars with intervals.

    The naive baselines are left out: they have an uncertainty of their own, but the mask of `sam`.
    """
    drawn = chosen(frame[~frame["method"].isin(BASELINES)], QUALITY, DRAWN)
    return _draw(drawn, QUALITY, stem, title, provenance, _bar)


Mark = Callable[[Axes, float, Any, MethodStyle, float], None]


def _draw(
    drawn: pd.DataFrame, metrics: Sequence[str], stem: Path, title: str, provenance: str, mark: Mark
) -> list[Path]:
    names, datasets = methods(drawn), list(labels(drawn).values())
    body = max(0.45, 0.15 * len(names) + 0.15) * len(datasets)
    legend = 0.2 * math.ceil(len(names) / 3) + 0.15
    head = 0.6 if len(metrics) > 1 else 0.4  # room for the titles of panels
    with styled():
        page = sheet((WIDTH, body + legend + head), title, HOW, footnotes(drawn), provenance)
        page.legend([_key(name, mark) for name in names], head + body, legend)
        lines = [textwrap.fill(name, 18, break_long_words=False) for name in datasets]
        for metric, axes in zip(metrics, page.columns(len(metrics), NAMES, GAP, 0.3, body), strict=True):
            bands(axes, lines if metric == metrics[0] else [""] * len(lines))
            _panel(axes, drawn, metric, mark)
            axes.set_title(metric_facts(metric).title if len(metrics) > 1 else "")
        return write(page.figure, drawn, stem)


def _panel(axes: Axes, drawn: pd.DataFrame, metric: str, mark: Mark) -> None:
    names, datasets, found = methods(drawn), list(labels(drawn)), marks(drawn)
    step = 1 / (len(names) + 1)
    ticks(axes.xaxis, 7)
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
