"""Figs. 3 and 6 of the paper: one metric of every method on every dataset, on a circle."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.lines import Line2D
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import MaxNLocator

from uncertsam.catalogue import metric_facts
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import sheet, write
from uncertsam.figures.style import GRID, MUTED, PAPER, RULE, MethodStyle, method_style, styled
from uncertsam.statistics.selection import chosen, labels, marks, methods


def radar(frame: pd.DataFrame, metric: str, stem: Path, provenance: str = "") -> list[Path]:
    """Draw the mean over masks of `metric`: a spoke per dataset, outwards is always better.

    One or two datasets span no polygon; then each method gets a spoke of its own within its dataset's sector.
    `frame` has the columns of `intervals.csv`. A NaN leaves its method's polygon open. Returns the files written.
    """
    drawn = chosen(frame, [metric], ["mean_masks"])
    datasets, ends = labels(drawn), rings(drawn["mean_masks"].to_numpy(float), metric)
    way = "" if metric_facts(metric).better == "neither" else "; outwards is better"
    subtitle = f"Mean over masks, from {ends[0]:g} at the centre to {ends[-1]:g} at the rim{way}."
    with styled():
        page = sheet((8.2, 4.2), metric_facts(metric).title, subtitle, footnotes(drawn), provenance)
        axes = page.figure.add_axes(page.place(1.3, 0.45, 3.3, 3.3), projection="polar")
        assert isinstance(axes, PolarAxes)
        _prepare(axes, ends, len(datasets))
        (_polygons if len(datasets) > 2 else _fans)(axes, drawn, metric, ends)
        _name_spokes(axes, list(datasets.values()))
        axes.legend(handles=_legend(methods(drawn)), loc="center left", bbox_to_anchor=(1.36, 0.5))
        return write(page.figure, drawn, stem)


def rings(values: Float[np.ndarray, " n"], metric: str) -> list[float]:
    """The values of the rings, from the centre outwards: round numbers that hold 0 and all `values` (NaN apart).

    An error has 0 at the rim; anything else 0 at the centre, unless a value is negative.
    """
    known = np.append(np.round(values[np.isfinite(values)], 6), 0.0)
    low, high = float(known.min()), float(known.max())
    ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high if high > low else low + 1)
    ordered = ticks[::-1] if metric_facts(metric).better == "lower" else ticks
    return [float(f"{tick:.6g}") for tick in ordered]


def _prepare(axes: PolarAxes, ends: list[float], spokes: int) -> None:
    """Clockwise from the top, radius 0 at the centre and 1 at the rim, rings named by their values."""
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 1)
    axes.set_rorigin(-0.3 if spokes < 3 else -0.04)
    axes.set_xticks(_angles(spokes), labels=[""] * spokes)
    axes.set_yticks([_radius(value, ends) for value in ends], labels=[""] * len(ends))
    axes.grid(visible=spokes > 2, axis="x")
    axes.grid(visible=True, axis="y")
    axes.spines["polar"].set_color(RULE)
    paper = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
    for value in ends if spokes < 3 else ends[1:]:  # where the polygons meet, a name would be unreadable
        where = (np.pi / max(spokes, 2), _radius(value, ends))
        axes.text(*where, f"{value:g}", fontsize=7, color=MUTED, ha="center", va="center", bbox=paper, zorder=5)


def _angles(spokes: int) -> Float[np.ndarray, " n"]:
    return np.linspace(0, 2 * np.pi, spokes, endpoint=False)


def _radius(value: float, ends: list[float]) -> float:
    return (value - ends[0]) / (ends[-1] - ends[0])


def _polygons(axes: PolarAxes, drawn: pd.DataFrame, metric: str, ends: list[float]) -> None:
    datasets, found = list(labels(drawn)), marks(drawn)
    angles = _angles(len(datasets))
    for method in methods(drawn)[::-1]:
        rows = [found.get((dataset, method, metric)) for dataset in datasets]
        radii = [np.nan if row is None else _radius(row.mean_masks, ends) for row in rows]
        axes.plot([*angles, angles[0]], [*radii, radii[0]], clip_on=False, **_look(method_style(method)))


def _fans(axes: PolarAxes, drawn: pd.DataFrame, metric: str, ends: list[float]) -> None:
    """One sector per dataset, in it one spoke per method."""
    datasets, names, found = list(labels(drawn)), methods(drawn), marks(drawn)
    for dataset, middle in zip(datasets, _angles(len(datasets)), strict=True):
        half = 0.36 * 2 * np.pi / len(datasets) * (len(names) > 1)
        for method, angle in zip(names, np.linspace(middle - half, middle + half, len(names)), strict=True):
            axes.plot([angle, angle], [0, 1], color=GRID, linewidth=0.7, zorder=1)
            row = found.get((dataset, method, metric))
            if row is not None:
                radii = [0, _radius(row.mean_masks, ends)]
                axes.plot([angle, angle], radii, clip_on=False, markevery=[1], **_look(method_style(method)))


def _look(style: MethodStyle) -> dict[str, Any]:
    return {
        "color": style.colour,
        "marker": style.marker,
        "linestyle": style.line,
        "markeredgecolor": PAPER,
        "markeredgewidth": 0.6,
        "zorder": 2 if style.baseline else 3,
    }


def _name_spokes(axes: PolarAxes, names: list[str]) -> None:
    for angle, name in zip(_angles(len(names)), names, strict=True):
        side, up = np.sin(angle), np.cos(angle)
        across = "left" if side > 0.1 else "right" if side < -0.1 else "center"
        along = "bottom" if up > 0.7 else "top" if up < -0.7 else "center"
        axes.text(angle, 1.09, textwrap.fill(name, 16, break_long_words=False), ha=across, va=along)


def _legend(names: list[str]) -> list[Line2D]:
    looks = [method_style(name) for name in names]
    return [Line2D([], [], label=style.label, **_look(style)) for style in looks]
