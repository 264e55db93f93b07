"""`reports/index.html`: everything that a run found, on one self-contained page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from uncertsam.data.format import Split, read_split, splits_of
from uncertsam.errors import UserError
from uncertsam.figures.provenance import footnotes
from uncertsam.figures.style import DATASETS, METHODS, UNTRUE_LABELS, in_order, method_style, metric_style
from uncertsam.figures.table import TOO_SMALL, chosen, labels, methods, read_intervals, single
from uncertsam.files import written_aside
from uncertsam.results.report_figures import panels, pictures
from uncertsam.results.verdict import JUDGED, Verdict, verdicts

TABLED = ("iou", "boundary_iou_0.02", "pearson", "brier", "ece", "aurc", "augrc", "image_auroc")
LISTED_FILES = 100  # skipped files named on the page, per dataset


@dataclass(frozen=True)
class Inputs:
    """What the page is made of; `params` is shown as it is, `provenance` as the line under the figures.

    results, intervals: the tables of `reports/`. figures: their folder. benchmark: <dataset>/<split>/...
    draws, seed: of the bootstrap behind the comparison with the baselines.
    """

    results: Path
    intervals: Path
    figures: Path
    benchmark: Path
    datasets: Sequence[str]
    split: str = "test"
    params: Mapping[str, Any] = field(default_factory=dict)
    provenance: str = ""
    draws: int = 2000
    seed: int = 0


def build(inputs: Inputs, out: Path) -> None:
    """Write the page, whole or not at all. Raises UserError where an input is missing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = FileSystemLoader(Path(__file__).parent)
    page = Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = page.get_template("report.html.j2").render(_contents(inputs))
    with written_aside(out) as aside:
        aside.write_text(text, encoding="utf-8")


def _contents(inputs: Inputs) -> dict[str, Any]:
    frame, results = read_intervals(inputs.intervals), _read_results(inputs.results)
    tabled = chosen(frame, [metric for metric in TABLED if metric in set(frame["metric"])])
    names = labels(tabled)
    data = [_data_row(inputs.benchmark / name, names.get(name, name), inputs.split) for name in inputs.datasets]
    judged = verdicts(results, tabled, inputs.draws, inputs.seed)
    return {
        "model": str((inputs.params.get("model") or {}).get("name", "")),
        "split": inputs.split,
        "facts": _facts(tabled),
        "methods": [method_style(name) for name in methods(tabled)],
        "metrics": [metric_style(name) for name in in_order(tabled["metric"], TABLED)],
        "summary": _summary(judged, tabled),
        "verdicts": _verdict_rows(judged, tabled),
        "pictures": pictures(inputs.figures),
        "panels": panels(inputs.figures, names),
        "tables": [_table(tabled, name, label) for name, label in names.items()],
        "data": data,
        "gaps": _gaps(tabled),
        "notes": footnotes(tabled),
        "params": yaml.safe_dump(dict(inputs.params), sort_keys=False, allow_unicode=True) if inputs.params else "",
        "provenance": inputs.provenance,
        "draws": inputs.draws,
    }


def _read_results(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", "Run the tabulate stage first.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", "Run the tabulate stage again.") from None


def _facts(tabled: pd.DataFrame) -> dict[str, int]:
    """The counts at the top of the page, over what is measured."""
    sets = tabled.groupby("dataset").agg(
        synthetic=("synthetic", "any"), images=("n_images", "max"), masks=("n_masks", "max")
    )
    counts = {"datasets": len(sets), "synthetic": sets["synthetic"].sum()}
    counts |= {"images": sets["images"].sum(), "masks": sets["masks"].sum(), "methods": tabled["method"].nunique()}
    return {name: int(count) for name, count in counts.items()}


def _table(tabled: pd.DataFrame, dataset: str, label: str) -> dict[str, Any]:
    """One dataset's results: a row per method, a cell per metric."""
    mine = tabled[tabled["dataset"] == dataset]
    metrics, first = in_order(mine["metric"], TABLED), mine.iloc[0]
    few, untrue = bool((mine["note"] == TOO_SMALL).any()), first["quality"] in UNTRUE_LABELS
    best = {} if few or untrue else {metric: _best(mine, metric) for metric in metrics}
    rows = [
        {"style": method_style(method), "cells": [_number(mine, dataset, method, m, best.get(m)) for m in metrics]}
        for method in methods(mine)
    ]
    return {
        "label": label,
        "images": int(mine["n_images"].max()),
        "masks": int(mine["n_masks"].max()),
        "metrics": [metric_style(metric) for metric in metrics],
        "rows": rows,
        "detectable": [_shown(mine.loc[mine["metric"] == metric, "detectable"].max()) for metric in metrics],
        "few": few,
    }


def _number(mine: pd.DataFrame, dataset: str, method: str, metric: str, best: str | None) -> dict[str, Any]:
    row = single(mine, dataset, method, metric)
    if row is None:
        return {"mean": "no value", "interval": "", "best": False}
    known = math.isfinite(row["low"]) and math.isfinite(row["high"])
    interval = f"{_shown(row['low'])} to {_shown(row['high'])}" if known else ""
    mean, follows = _shown(row["mean_masks"]), metric_style(metric).ranks_uncertainty
    shared = method_style(method).baseline and not follows  # a baseline has SAM 2's mask and probability
    return {"mean": mean, "interval": interval, "best": mean == best and not shared}


def _best(mine: pd.DataFrame, metric: str) -> str | None:
    """The best mean as it is shown, so that what looks equal is treated alike; None where no end is good."""
    style, values = metric_style(metric), mine.loc[mine["metric"] == metric, "mean_masks"]
    if style.better == "neither" or values.isna().all():
        return None
    return _shown(values.min() if style.better == "lower" else values.max())


def _shown(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "–"


def _verdict_rows(judged: list[Verdict], tabled: pd.DataFrame) -> dict[str, Any]:
    """A row per method and metric, a cell per dataset."""
    datasets = labels(tabled)
    found = {(v.method, v.metric, v.dataset): v for v in judged}
    pairs = [(method, metric) for method in in_order({v.method for v in judged}, METHODS) for metric in JUDGED]
    rows = [
        {
            "method": method_style(method).label,
            "metric": metric_style(metric).title,
            "cells": [found.get((method, metric, dataset)) for dataset in datasets],
        }
        for method, metric in pairs
        if any((method, metric, dataset) in found for dataset in datasets)
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
    worst = found.groupby(["dataset", "metric"], sort=False)[["n_nan", "n_masks"]].max().astype(int)
    return [
        f"{names[dataset]}, {metric_style(metric).label}: at most {row['n_nan']} of {row['n_masks']} masks of a method."
        for (dataset, metric), row in worst.iterrows()
    ]
