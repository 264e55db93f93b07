"""The way from SAM to Laplace as published as a waterfall: what each of the four changes adds to a metric."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from uncertsam.base.errors import UserError
from uncertsam.catalogue import metric_facts
from uncertsam.config.sections import POOLED
from uncertsam.experiments.controls.design import LA, PRIMARY, REGION, SAM
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.sheet import sheet, ticks, write
from uncertsam.figures.style import FACTORS, INK, MUTED, RULE, styled

WIDTH, NAMES, GAP, BODY, HEAD = 8.0, 1.45, 0.3, 1.9, 0.6  # inches
STEPS = [SAM, *FACTORS, LA]
ENDS = {SAM: "SAM as published", LA: "LA as published"}
HOW = (
    "Shapley value of each change with its 95 % interval (bootstrap over images); pale where that holds 0. "
    "↑ higher, ↓ lower is better."
)


def waterfall(frame: pd.DataFrame, stem: Path, provenance: str = "") -> list[Path]:
    """Draw a panel per metric: where SAM is, four bars, where LA is.

    `frame` has the columns of `controls.csv`. Returns the files written. Raises UserError where a step is missing.
    """
    drawn = steps(frame)
    masks = int(drawn["n_masks"].max())
    marked = " (synthetic)" if drawn["synthetic"].any() else ""
    title = f"From SAM to Laplace in four changes: {masks} masks{marked}"
    with styled():
        page = sheet((WIDTH, BODY + HEAD), title, HOW, footnotes(drawn), provenance)
        for metric, axes in zip(PRIMARY, page.columns(len(PRIMARY), NAMES, GAP, 0.3, BODY), strict=True):
            _panel(axes, drawn[drawn["metric"] == metric], named=metric == PRIMARY[0])
            axes.set_title(metric_facts(metric).title)
        return write(page.figure, drawn, stem)


def steps(frame: pd.DataFrame, metrics: Sequence[str] = PRIMARY) -> pd.DataFrame:
    """The numbers drawn: per metric the ends (value) and the four changes (begin, value, low, high), in order."""
    key = ["metric", "method"]
    mine = frame[(frame["dataset"] == POOLED) & (frame["region"] == REGION)]
    found = mine[mine["kind"] == "shapley"].set_index(key)
    wanted = pd.MultiIndex.from_product([metrics, STEPS], names=key)
    if not wanted.isin(found.index).all():
        raise UserError(f"The controls have no {', '.join(metrics)}.", "Run the ablate stage again.")
    rows = found.loc[wanted].reset_index()
    change = rows["value"].where(rows["method"].isin(list(FACTORS)), 0.0)
    start = rows["value"].where(rows["method"] == SAM).groupby(rows["metric"]).transform("first")
    rows["begin"] = start + change.groupby(rows["metric"]).cumsum() - change
    columns = ["dataset", *key, "begin", "value", "low", "high", "n_images", "n_masks", "note", "synthetic", "quality"]
    return rows[columns]


def _panel(axes: Axes, rows: pd.DataFrame, named: bool) -> None:
    axes.set_ylim(len(STEPS) - 0.5, -0.5)
    names = [ENDS.get(step) or FACTORS[step].label for step in STEPS]
    axes.set_yticks(range(len(STEPS)), labels=names if named else [""] * len(names), fontsize=8, color=INK)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")
    ticks(axes.xaxis, 4)
    axes.use_sticky_edges = False  # a bar's foot may be the leftmost number, and its label stands to the right
    axes.margins(x=0.2)
    for y, row in enumerate(rows.itertuples()):
        _end(axes, y, row) if row.method in ENDS else _change(axes, y, row)


def _end(axes: Axes, y: int, row: Any) -> None:
    axes.plot(row.value, y, "o", markersize=5.5, color=INK)
    _label(axes, row.value, y, f"{row.value:.3f}")


def _change(axes: Axes, y: int, row: Any) -> None:
    """A bar from where the change finds the metric to where it leaves it, and the interval of its end."""
    end, shown = row.begin + row.value, row.low > 0 or row.high < 0
    axes.barh(y, row.value, left=row.begin, height=0.55, color=FACTORS[row.method].colour, alpha=1.0 if shown else 0.4)
    axes.plot([row.begin, row.begin], [y - 1, y + 0.3], color=RULE, linewidth=0.8, zorder=0)
    axes.plot([end, end], [y - 0.3, y + 1], color=RULE, linewidth=0.8, zorder=0)
    axes.plot([row.begin + row.low, row.begin + row.high], [y, y], color=INK, linewidth=1)
    reach = max(x for x in (row.begin, end, row.begin + row.high) if pd.notna(x))
    places = ".4f" if abs(row.value) >= 5e-5 else ".0e"
    _label(axes, reach, y, f"{row.value:+{places}}" if row.value else "0 exactly")


def _label(axes: Axes, x: float, y: int, text: str) -> None:
    axes.annotate(text, (x, y), (5, 0), textcoords="offset points", va="center", fontsize=6.5, color=MUTED)
