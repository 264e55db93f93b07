"""What clicks add: mean IoU over the number of clicks, a line per policy, and below it guided less random clicks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from uncertsam.base.errors import UserError
from uncertsam.catalogue import METHODS, in_order, method_facts
from uncertsam.config.sections import ALL
from uncertsam.experiments.clicking.table import DIFFERENCE, GUIDED, MEAN, ORACLE, RANDOM, SUMMED
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import sheet, ticks, write
from uncertsam.figures.style import INK, MUTED, MethodStyle, styled

WIDTH, LEFT, GAP, UPPER, LOWER = 8.0, 0.5, 0.35, 1.7, 1.0  # inches
POLICIES: dict[str, MethodStyle] = {
    ORACLE: MethodStyle("at the largest error (bound)", "#59606B", "X", line=(0, (4, 2))),
    GUIDED: MethodStyle("where it is most unsure", "#D55E00", "D"),
    RANDOM: MethodStyle("at random", "#0072B2", "o"),
}
HOW = (
    "Clicks with the true label are added one by one. Above: mean IoU over masks. Below: clicks where the method is "
    "unsure less random ones, on the same masks. 95 % intervals (images resampled)."
)


def clicking(frame: pd.DataFrame, stem: Path, provenance: str = "") -> list[Path]:
    """Draw rows of `clicking.csv`, those over all datasets: two panels per method. Returns the files written.

    Raises UserError where nothing was clicked at.
    """
    drawn = frame[frame["dataset"] == ALL].sort_values(SUMMED, ignore_index=True)
    if drawn.empty:
        raise UserError("Nothing was clicked at.", "Run the click stage again.")
    names = in_order(drawn["method"], METHODS)
    shown = drawn.assign(dataset=f"{frame['dataset'].nunique() - 1} datasets")
    with styled():
        title = f"Clicks where the model is unsure: {int(drawn['n_masks'].max())} masks{_marked(drawn)}"
        page = sheet((WIDTH, UPPER + LOWER + 1.55), title, HOW, footnotes(shown), provenance)
        page.legend(_keys(), UPPER + LOWER + 1.2, 0.25)
        uppers = page.columns(len(names), LEFT, GAP, LOWER + 0.85, UPPER)
        lowers = page.columns(len(names), LEFT, GAP, 0.4, LOWER)
        for name, above, below in zip(names, uppers, lowers, strict=True):
            mine = drawn[drawn["method"] == name]
            _lines(above, mine[mine["kind"] == MEAN], list(POLICIES))
            above.set_title(method_facts(name).label, fontsize=8.5)
            below.axhline(0, color=INK, linewidth=0.8)
            _lines(below, mine[mine["kind"] == DIFFERENCE], [GUIDED])
            below.set_xlabel("clicks", fontsize=7.5, color=MUTED)
        uppers[0].set_ylabel("mean IoU", fontsize=7.5, color=MUTED)
        lowers[0].set_ylabel("guided - random", fontsize=7.5, color=MUTED)
        _alike(uppers)
        _alike(lowers)
        return write(page.figure, drawn, stem)


def _marked(drawn: pd.DataFrame) -> str:
    return " (synthetic)" if drawn["synthetic"].any() else ""


def _keys() -> list[Line2D]:
    return [Line2D([], [], label=style.label, **_look(style)) for style in POLICIES.values()]


def _look(style: MethodStyle) -> dict[str, Any]:
    return {"color": style.colour, "marker": style.marker, "linestyle": style.line, "markersize": 4.5}


def _lines(axes: Axes, rows: pd.DataFrame, policies: Sequence[str]) -> None:
    """A line per policy over the clicks, each point with its interval; beside each other, not on top."""
    for place, policy in enumerate(policies):
        mine = rows[rows["policy"] == policy].sort_values("clicks")
        x = mine["clicks"].astype(float) + 0.06 * (place - (len(policies) - 1) / 2)
        style = POLICIES[policy]
        axes.vlines(x, mine["low"], mine["high"], color=style.colour, linewidth=1, alpha=0.6)
        axes.plot(x, mine["value"], **_look(style))
    axes.grid(visible=True, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    ticks(axes.yaxis, 4)


def _alike(panels: Sequence[Axes]) -> None:
    """One scale for all methods."""
    low, high = (pick(axes.get_ylim()[end] for axes in panels) for end, pick in ((0, min), (1, max)))
    for axes in panels:
        axes.set_ylim(low, high)
