"""The answers on the page: every method against the references, what it costs, and how many claims reproduce."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from uncertsam.catalogue import METHODS, dataset_label, in_order, metric_facts
from uncertsam.experiments.cost.table import COST, ENCODER
from uncertsam.figures.style import method_style
from uncertsam.report.reproduction import read_counts
from uncertsam.statistics.answers import (
    difference_cell,
    limits_of_proof,
    sentence,
    tested_and_not,
)
from uncertsam.statistics.comparisons import ANSWERS, Plan, overall_rows


@dataclass(frozen=True)
class AnswerFiles:
    """answers.csv, cost.csv and reproduction.json, and the plan that they were made by."""

    answers: Path
    cost: Path
    reproduction: Path
    plan: Plan


def answers_section(files: AnswerFiles) -> dict[str, Any]:
    """What the template shows. Raises UserError where a file is missing or broken."""
    frame = ANSWERS.read(files.answers)
    told = tested_and_not(frame)
    return {
        "references": [_reference(frame, name, files.plan) for name in in_order(frame["reference"], METHODS)],
        "tested": [_label(frame, name) for name in told["tested"]],
        "left_out": [f"{_label(frame, name)}: {why}" for name, why in told["left_out"].items()],
        "limits": limits_of_proof(frame, files.plan),
        "alpha": f"{files.plan.alpha:g}",
        "cost": _cost(COST.read(files.cost)),
        "claims": read_counts(files.reproduction),
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


def _cost(frame: pd.DataFrame) -> dict[str, Any]:
    """What a mask costs, the cheapest first; the encoder apart, for all methods share it."""
    encoder = frame[frame["method"] == ENCODER].iloc[0]
    first: Any = frame.iloc[0]
    rows = frame[frame["method"] != ENCODER].sort_values("ms", kind="stable").itertuples()
    return {
        "encoder": f"{encoder['ms']:.3g}",
        "how": f"{first['masks']} masks in {first['images']} images, {first['repeats']} repeats, "
        f"{first['device']}, {first['threads']} thread{'s' if first['threads'] != 1 else ''}",
        "rows": [(method_style(str(row.method)), _spent(row)) for row in rows],
    }


def _spent(row: Any) -> dict[str, str]:
    spread = f"{row.ms_low:.3g}–{row.ms_high:.3g}"
    sizes = {"peak": f"{row.peak_mb:.3g}", "state": f"{row.state_mb:.3g}" if row.state_mb else "–"}
    return {"ms": f"{row.ms:.3g}", "spread": spread, "ratio": f"{row.ratio:.3g}", **sizes}
