"""What the page says of measures and aggregations: every ensemble's side by side, means over datasets."""

from typing import Any

import pandas as pd

from uncertsam.catalogue import METHODS, in_order, metric_facts, spoken
from uncertsam.figures.style import method_style
from uncertsam.metrics.aggregation import AGGREGATIONS, BASELINES
from uncertsam.metrics.measure_list import MEASURES
from uncertsam.metrics.uncertainty import MUTUAL_INFORMATION
from uncertsam.statistics.image_level import image_level
from uncertsam.statistics.table import at_default

SHOWN = ("pearson", "aurc")


def measures_section(results: pd.DataFrame) -> list[dict[str, Any]]:
    """Tables of methods by measure and by aggregation, of the first model of a long table; none where one is empty."""
    first = results[results["model"].isin(results["model"].head(1))]
    return [table for table in (*(_by_measure(first, metric) for metric in SHOWN), _by_aggregation(first)) if table]


def _by_measure(results: pd.DataFrame, metric: str) -> dict[str, Any] | None:
    """Only methods whose samples can disagree."""
    rows = results[(results["metric"] == metric) & (results["region"] == "full")]
    ensembles = set(rows.loc[rows["measure"] == MUTUAL_INFORMATION.name, "method"])
    means = _means(rows[rows["method"].isin(ensembles)], "measure", "value")
    names = {name: MEASURES[name].title for name in MEASURES if name in means.columns}
    return _table(metric_facts(metric).title, means, names)


def _by_aggregation(results: pd.DataFrame) -> dict[str, Any] | None:
    own = at_default(results)[["dataset", "method"]].drop_duplicates()
    measures = results.loc[results["metric"] == "iou", ["dataset", "method", "measure"]].drop_duplicates()
    rows = image_level(results).merge(own.merge(measures))
    means = _means(rows, "aggregation", "image_augrc")
    names = {name: spoken(name) for name in (*AGGREGATIONS, *BASELINES) if name in means.columns}
    return _table(metric_facts("image_augrc").title, means, names)


def _means(rows: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """Methods by a column: the mean over datasets of the mean over masks."""
    return rows.groupby(["method", column, "dataset"])[value].mean().groupby(level=[0, 1]).mean().unstack()


def _table(title: str, means: pd.DataFrame, names: dict[str, str]) -> dict[str, Any] | None:
    if means.empty:
        return None
    cells = means.reindex(columns=list(names))
    rows = [(method_style(m), [_shown(value) for value in cells.loc[m]]) for m in in_order(cells.index, METHODS)]
    return {"title": title, "columns": list(names.values()), "rows": rows}


def _shown(value: Any) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"
