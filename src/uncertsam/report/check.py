"""Are the machine-readable reports what they say? Schemas, ranges, agreement, and a sample recomputed."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_table
from uncertsam.base.rng import numpy_generator
from uncertsam.data.format import Split, read_split
from uncertsam.experiments.clicking.check import click_problems
from uncertsam.experiments.controls.check import control_problems
from uncertsam.experiments.guarantees.check import guarantee_problems
from uncertsam.experiments.refinement.check import refined_problems
from uncertsam.metrics.masks import METRICS, measure_mask, upsample
from uncertsam.metrics.measure import Predictions
from uncertsam.metrics.region import REGIONS, TruthSide
from uncertsam.report.check_answers import answer_problems
from uncertsam.statistics.curves import read_curves
from uncertsam.statistics.summary import metrics_json
from uncertsam.statistics.table import other_means, table_problems

INTERVALS = (
    "dataset", "method", "metric", "region", "mean_masks", "mean_images", "low", "high", "n_images", "n_masks", "n_nan",
    "detectable", "note", "synthetic", "quality",
)  # fmt: skip
RANGES = {"pearson": (-1.0, 1.0), "spearman": (-1.0, 1.0), "nll": (0.0, math.inf), "mean_u": (-math.inf, math.inf)}
CLOSE = 1e-4  # recomputing sorts exactly, where the pipeline may use a histogram that is right within 1e-5


@dataclass(frozen=True)
class Places:
    """Where things are: `reports/`, data/benchmark, data/predictions; `split` is the reported one."""

    reports: Path
    benchmark: Path
    predictions: Path
    split: str


def problems(places: Places, cells: int, seed: int) -> list[str]:
    """Everything that is wrong, a line each; `cells` random values are recomputed from mask and stored logits.

    Raises UserError where a file is missing or unreadable.
    """
    results = read_table(places.reports / "results.parquet", "Run dvc repro.")
    if wrong := table_problems(results, "results.parquet"):
        return wrong
    return [
        *_out_of_range(results),
        *_intervals(_csv(places.reports / "intervals.csv"), results),
        *_metrics(places.reports / "metrics.json", results),
        *_curves(read_curves(places.reports / "curves.parquet"), results),
        *control_problems(places.reports),
        *answer_problems(places.reports, results),
        *refined_problems(places.reports, results),
        *guarantee_problems(places.reports, results),
        *click_problems(places.reports),
        *_figures(places.reports / "figures"),
        *_recomputed(places, results, cells, seed),
    ]


def _csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", "Run dvc repro.") from None


def _out_of_range(results: pd.DataFrame) -> Iterator[str]:
    """Unknown metrics and regions, and values that their metric cannot have (NaN is allowed)."""
    for name, known in ("metric", METRICS), ("region", REGIONS):
        for other in sorted(set(results[name]) - set(known)):
            yield f"results.parquet: there is no {name} {other!r}"
    for metric, values in results.groupby("metric")["value"]:
        low, high = RANGES.get(str(metric), (0.0, 1.0))
        bad = values[(values < low - 1e-9) | (values > high + 1e-9)]
        if len(bad):
            yield f"results.parquet: {len(bad)} values of {metric} outside [{low:g}, {high:g}], such as {bad.iloc[0]:g}"


def _intervals(frame: pd.DataFrame, results: pd.DataFrame) -> Iterator[str]:
    """The columns, low <= mean <= high, and the means of the table."""
    if list(frame.columns) != list(INTERVALS):
        yield f"intervals.csv has the columns {list(frame.columns)}, not {list(INTERVALS)}"
        return
    known = frame.dropna(subset=["low", "high", "mean_masks"])
    for row in known[(known["low"] > known["mean_masks"]) | (known["mean_masks"] > known["high"])].itertuples():
        yield f"intervals.csv: the mean of {row.dataset}, {row.method}, {row.metric} lies outside of its interval"
    for cell in other_means(frame, results):
        yield f"intervals.csv: the mean of {cell} is not that of results.parquet"


def _metrics(path: Path, results: pd.DataFrame) -> Iterator[str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", "Run dvc repro.") from None
    if found != metrics_json(results):
        yield "metrics.json does not hold the means of results.parquet"


def _curves(curves: pd.DataFrame, results: pd.DataFrame) -> Iterator[str]:
    """Shares lie in [0, 1], the bins of a reliability curve hold every pixel once, and no cell is unknown."""
    for column in ("x", "y", "weight"):
        if not curves[column].dropna().between(0, 1 + 1e-6).all():
            yield f"curves.parquet: {column} leaves [0, 1]"
    bins = curves[curves["kind"] == "reliability"].groupby(["dataset", "method"])["weight"].sum()
    for dataset, method in bins.index[~np.isclose(bins, 1, atol=1e-4)]:
        yield f"curves.parquet: the bins of {dataset}, {method} do not hold every pixel once"
    cells = [set(zip(table["dataset"], table["method"], strict=True)) for table in (curves, results)]
    for dataset, method in sorted(cells[0] - cells[1]):
        yield f"curves.parquet: {dataset}, {method} is not in results.parquet"


def _figures(folder: Path) -> Iterator[str]:
    """Every figure as SVG and PNG, with the numbers it draws."""
    stems = {path.stem for path in folder.glob("*.*")}
    if not stems:
        yield f"{folder} holds no figures"
    for stem in sorted(stems):
        for suffix in (".svg", ".png", ".csv"):
            if not (folder / f"{stem}{suffix}").is_file():
                yield f"figures/{stem}{suffix} is missing"
        table = folder / f"{stem}.csv"
        if table.is_file() and _csv(table).empty:
            yield f"figures/{stem}.csv holds no numbers"


def _recomputed(places: Places, results: pd.DataFrame, cells: int, seed: int) -> Iterator[str]:
    """Values drawn at random, computed again from the truth and the stored maps."""
    chosen = numpy_generator(seed, "check").choice(len(results), min(cells, len(results)), replace=False)
    masks: Any = results.iloc[np.sort(chosen)].groupby(["dataset", "method", "mask_id"])
    for (dataset, method, mask_id), rows in masks:
        again = _again(places, dataset, method, mask_id)
        for metric, region, value in zip(rows["metric"], rows["region"], rows["value"], strict=True):
            if not np.isclose(again[metric, region], value, rtol=CLOSE, atol=CLOSE, equal_nan=True):
                name = f"{metric} ({region}) of mask {mask_id}, {method}, {dataset}"
                yield f"results.parquet: {name} is {value:.6g}, recomputed {again[metric, region]:.6g}"


def _again(places: Places, dataset: str, method: str, mask_id: int) -> dict[tuple[str, str], float]:
    """Every metric of one mask, pixels ranked by sorting."""
    split = read_split(places.benchmark / dataset / places.split)
    owners = {a.id: a.image_id for annotations in split.annotations.values() for a in annotations}
    maps = Predictions.open(places.predictions / dataset / method, owners).of(mask_id)
    truth = _truth_of(split, owners[mask_id], mask_id)
    logits, uncertainty = (upsample(low, *truth.shape) for low in maps)
    return measure_mask(TruthSide.of(truth, split.ignored(owners[mask_id])), logits, uncertainty, "exact")


def _truth_of(split: Split, image_id: int, mask_id: int) -> np.ndarray:
    return split.mask(next(a for a in split.annotations[image_id] if a.id == mask_id))
