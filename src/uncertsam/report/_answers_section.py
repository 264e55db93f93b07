"""The answers on the page: every method against the references, and how many claims reproduce."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from uncertsam.catalogue import METHODS, dataset_label, in_order, metric_facts
from uncertsam.figures.style import method_style
from uncertsam.report.reproduction import read_counts
from uncertsam.statistics.answers import (
    difference_cell,
    limits_of_proof,
    sentence,
    tested_and_not,
)
from uncertsam.statistics.comparisons import Plan, overall_rows
from uncertsam.statistics.schema import Tables


def answers_section(tables: Tables, plan: Plan) -> dict[str, Any]:
    """What the template shows of answers.csv. Raises UserError where a file is missing or broken."""
    frame = tables["answers.csv"]
    told = tested_and_not(frame)
    return {
        "references": [_reference(frame, name, plan) for name in in_order(frame["reference"], METHODS)],
        "tested": [_label(frame, name) for name in told["tested"]],
        "left_out": [f"{_label(frame, name)}: {why}" for name, why in told["left_out"].items()],
        "limits": limits_of_proof(frame, plan),
        "alpha": f"{plan.alpha:g}",
        "claims": read_counts(tables.reports / "reproduction.json"),
    }


def _label(frame: pd.DataFrame, name: str) -> str:
    row = frame[frame["dataset"] == name].iloc[0]
    return dataset_label(name, bool(row["synthetic"]), str(row["quality"]))


def _reference(frame: pd.DataFrame, reference: str, plan: Plan) -> dict[str, Any]:
    """A row per method, a cell per metric, and every answer in words."""
    rows = [row for row in overall_rows(frame) if row.reference == reference]
    found = {(row.method, row.metric): row for row in rows}
    metrics = [metric for metric in plan.metrics if any(row.metric == metric for row in rows)]
    names = in_order({row.method for row in rows}, METHODS)
    return {
        "label": method_style(reference).label,
        "metrics": [metric_facts(metric) for metric in metrics],
        "rows": [(method_style(name), _cells(found, name, metrics, plan.alpha)) for name in names],
        "sentences": [sentence(row, plan.alpha) for row in rows],
    }


def _cells(
    found: Mapping[tuple[str, str], Any], method: str, metrics: Sequence[str], alpha: float
) -> list[dict[str, Any] | None]:
    return [difference_cell(found[method, metric], alpha) if (method, metric) in found else None for metric in metrics]
