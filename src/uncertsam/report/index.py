"""`reports/index.html`: everything that a run found, on one self-contained page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from uncertsam.base.errors import UserError
from uncertsam.catalogue import METHODS, UNTRUE_LABELS, in_order, metric_facts
from uncertsam.data.format import Split, read_split, splits_of
from uncertsam.experiments.contract import Experiment, tables_of
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.style import method_style
from uncertsam.report._answers_section import answers_section
from uncertsam.report._figures_section import panels, pictures
from uncertsam.report._measures_section import measures_section
from uncertsam.report._page import render
from uncertsam.report._published import Known, beside
from uncertsam.report._verdict import JUDGED, Verdict, verdicts
from uncertsam.statistics.comparisons import Plan
from uncertsam.statistics.selection import (
    TOO_SMALL,
    chosen,
    labels,
    marks,
    methods,
    too_small,
)
from uncertsam.statistics.table import at_default, unrefined

TABLED = ("iou", "boundary_iou_0.02", "pearson", "brier", "ece", "aurc", "augrc", "image_auroc")
COMPARED = ("iou", "boundary_iou_0.02", "boundary_iou_0.01", "pearson")  # with the paper
LISTED_FILES = 100  # skipped files named on the page, per dataset


@dataclass(frozen=True)
class Inputs:
    """What the page is made of; `params` is shown as it is, `provenance` as the line under the figures.

    reports: the tables, and figures/. benchmark: <dataset>/<split>/... draws, seed: of the bootstrap behind the
    comparison with the baselines. fitted: a sentence on what was fitted where. plan: of the tests against the
    references, None: no such section. experiments: those that have a section.
    """

    reports: Path
    benchmark: Path
    datasets: Sequence[str]
    split: str = "test"
    params: Mapping[str, Any] = field(default_factory=dict)
    provenance: str = ""
    fitted: str = ""
    draws: int = 2000
    seed: int = 0
    plan: Plan | None = None
    experiments: Sequence[Experiment] = ()


def build(inputs: Inputs, out: Path) -> None:
    """Write the page, whole or not at all. Raises UserError where an input is missing."""
    render("report.html.j2", out, _contents(inputs))


def _contents(inputs: Inputs) -> dict[str, Any]:
    tables, figures = tables_of(inputs.reports), inputs.reports / "figures"
    frame, whole = unrefined(tables["intervals.csv"]), unrefined(tables["results.parquet"])
    results = at_default(whole)
    tabled = chosen(frame, [metric for metric in TABLED if metric in set(frame["metric"])])
    names = labels(tabled)
    ordered = in_order(inputs.datasets, names)
    data = {name: _data_row(inputs.benchmark / name, names.get(name, name), inputs.split) for name in ordered}
    known = {name: Known(row["label"], row["adapter"], row["synthetic"]) for name, row in data.items()}
    compared = chosen(frame, COMPARED) if frame["metric"].isin(COMPARED).any() else frame[:0]
    return {
        "pictures": pictures(figures),
        "panels": panels(figures, names),
        "answers": answers_section(tables, inputs.plan) if inputs.plan else None,
        "data": list(data.values()),
        "measured": measures_section(whole),
        "beside": beside(compared, known, inputs.params),
        **_found(tabled, verdicts(results, tabled, inputs.draws, inputs.seed)),
        **_settings(inputs),
        "experiments": [
            (each.name, each.section.title, each.section.contents(tables))
            for each in inputs.experiments
            if each.section
        ],
    }


def _found(tabled: pd.DataFrame, judged: list[Verdict]) -> dict[str, Any]:
    """What the numbers say."""
    return {
        "facts": _facts(tabled),
        "methods": [method_style(name) for name in methods(tabled)],
        "metrics": [metric_facts(name) for name in in_order(tabled["metric"], TABLED)],
        "summary": _summary(judged, tabled),
        "verdicts": _verdict_rows(judged, tabled),
        "tables": [_table(tabled, name, label) for name, label in labels(tabled).items()],
        "gaps": _gaps(tabled),
        "notes": footnotes(tabled),
    }


def _settings(inputs: Inputs) -> dict[str, Any]:
    """How the run was set."""
    return {
        "model": str((inputs.params.get("base") or {}).get("model", "")),
        "split": inputs.split,
        "fitted": inputs.fitted,
        "params": yaml.safe_dump(dict(inputs.params), sort_keys=False, allow_unicode=True) if inputs.params else "",
        "provenance": inputs.provenance,
        "draws": inputs.draws,
    }


def _facts(tabled: pd.DataFrame) -> dict[str, int]:
    """The counts at the top of the page, over what is measured."""
    sets = tabled.groupby("dataset").agg(
        synthetic=("synthetic", "any"), images=("n_images", "max"), masks=("n_masks", "max")
    )
    counts = {"datasets": len(sets), "synthetic": sets["synthetic"].sum()}
    counts |= {"images": sets["images"].sum(), "masks": sets["masks"].sum(), "methods": tabled["method"].nunique()}
    return {name: int(count) for name, count in counts.items()}


def _table(tabled: pd.DataFrame, dataset: str, label: str) -> dict[str, Any]:
    """One dataset's results: a row per method, a cell per metric. Without true labels or intervals nothing is best."""
    mine = tabled[tabled["dataset"] == dataset]
    metrics, few = in_order(mine["metric"], TABLED), dataset in too_small(mine)
    ranked = mine["quality"].iloc[0] not in UNTRUE_LABELS
    columns = [_column(mine[mine["metric"] == metric], metric, ranked) for metric in metrics]
    return {
        "label": label,
        "images": int(mine["n_images"].max()),
        "masks": int(mine["n_masks"].max()),
        "metrics": [metric_facts(metric) for metric in metrics],
        "rows": [(method_style(name), [column["cells"].get(name) for column in columns]) for name in methods(mine)],
        "detectable": [column["detectable"] for column in columns],
        "few": few,
        "ranked": ranked,
    }


def _column(rows: pd.DataFrame, metric: str, ranked: bool) -> dict[str, Any]:
    """One metric on one dataset: {method: cell}, with as many decimals as its largest mean calls for."""
    style, means = metric_facts(metric), rows["mean_masks"]
    shown = partial(_shown, decimals=_decimals(means.abs().max()))
    sure = ranked and not (rows["note"] == TOO_SMALL).any()
    best = shown({"higher": means.max(), "lower": means.min()}.get(style.better, math.nan)) if sure else ""
    cells = {}
    for row in marks(rows).values():
        mean, known = shown(row.mean_masks), math.isfinite(row.low)
        # a baseline has SAM 2's mask and probability: there is nothing of its own to be best at
        own = style.ranks_uncertainty or not method_style(row.method).baseline
        dash = " to " if row.low < 0 else "–"
        interval = f"{shown(row.low)}{dash}{shown(row.high)}" if known else ""
        cells[row.method] = {"mean": mean, "interval": interval, "best": own and mean == best}
    return {"cells": cells, "detectable": shown(rows["detectable"].max())}


def _decimals(largest: float) -> int:
    """Three digits of the largest value, at least three and at most four places."""
    return min(4, max(3, 2 - math.floor(math.log10(largest)))) if 0 < largest < math.inf else 3


def _shown(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"


def _verdict_rows(judged: list[Verdict], tabled: pd.DataFrame) -> dict[str, Any]:
    """Per method a row for each measure, with a cell per dataset."""
    datasets = labels(tabled)
    found = {(v.method, v.metric, v.dataset): v for v in judged}
    metrics = [metric for metric in JUDGED if metric in {v.metric for v in judged}]
    rows = [
        (
            method_style(method).label,
            [(metric_facts(m).head, [found.get((method, m, d)) for d in datasets]) for m in metrics],
        )
        for method in in_order({v.method for v in judged}, METHODS)
    ]
    return {"datasets": list(datasets.values()), "rows": rows}


def _summary(judged: list[Verdict], tabled: pd.DataFrame) -> dict[str, Any]:
    """Who beats both baselines everywhere, somewhere, nowhere; on real data, or where there is none, on synthetic."""
    synthetic = set(tabled.loc[tabled["synthetic"], "dataset"])
    tested = [v for v in judged if v.outcome != "not tested"]
    real = [v for v in tested if v.dataset not in synthetic]
    base = real or tested
    groups: dict[str, list[str]] = {"everywhere": [], "in part": [], "nowhere": []}
    for method in in_order({v.method for v in base}, METHODS):
        wins = [v.outcome == "both" for v in base if v.method == method]
        place = "everywhere" if all(wins) else "in part" if any(wins) else "nowhere"
        groups[place].append(method_style(method).label)
    return {"groups": groups, "tested": len({v.dataset for v in base}), "real": bool(real), "any": bool(base)}


def _data_row(folder: Path, label: str, split: str) -> dict[str, Any]:
    """A dataset of the benchmark: what it is and how it was read."""
    splits = {name: read_split(folder / name) for name in splits_of(folder)}
    if split not in splits:
        raise UserError(f"{folder} has no split {split}.", "Run the preprocess stage first.")
    info = splits[split].info
    skipped = [f"{entry['file']}: {entry['reason']}" for entry in info.get("skipped", [])]
    return {
        "label": label,
        "splits": [(name, len(value), _count(value)) for name, value in splits.items()],
        "synthetic": bool(info.get("synthetic", False)),
        "adapter": str(info.get("adapter", "")),
        "kind": info.get("kind", "not stated"),
        "licence": info.get("licence", "not stated"),
        "labels": ", ".join(sorted({image.quality for image in splits[split]})),
        "choices": list(info.get("choices", [])),
        "skipped": skipped[:LISTED_FILES],
        "more": max(0, len(skipped) - LISTED_FILES),
    }


def _count(split: Split) -> int:
    return sum(map(len, split.annotations.values()))


def _gaps(tabled: pd.DataFrame) -> list[str]:
    """Where masks have no value, in sentences."""
    names, found = labels(tabled), tabled[tabled["n_nan"] > 0]
    worst = found.groupby(["dataset", "metric"], sort=False, as_index=False)[["n_nan", "n_masks"]].max()
    return [
        f"{names[str(row.dataset)]}, {metric_facts(str(row.metric)).label}: at most {row.n_nan:.0f} of "
        f"{row.n_masks:.0f} masks of a method."
        for row in worst.itertuples()
    ]
