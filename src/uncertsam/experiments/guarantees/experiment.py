"""What can be promised of a mask, and is it kept? Told in the terms of `experiments.contract`."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.experiments.bench import Bench
from uncertsam.experiments.contract import Experiment, Figure, Frames
from uncertsam.experiments.guarantees.figure import guarantees
from uncertsam.experiments.guarantees.risk import bound
from uncertsam.experiments.guarantees.table import GUARANTEES
from uncertsam.statistics.schema import Tables
from uncertsam.statistics.table import at_default

CLOSE, ROUNDING = 1e-6, 1e-7  # of sums of what is written, and of the decimals that are


def run(bench: Bench) -> Frames:
    from uncertsam.experiments.guarantees.run import guarantee

    return {GUARANTEES.name: guarantee(bench)}


def metrics(tables: Tables) -> Mapping[str, Any]:
    return {"broken": verdict(tables[GUARANTEES.name])["shift"]}


def problems(tables: Tables) -> Iterator[str]:
    """A bound is alpha and what so many calibrate images leave to spare, promises are kept, the IoU is the results'."""
    frame = tables[GUARANTEES.name]
    if frame.empty:
        return
    rows = frame[frame["metric"] == "bound"]
    meant = [bound(n, alpha) for n, alpha in zip(rows["n_calibrate"], rows["setting"], strict=True)]
    for row in rows[~np.isclose(rows["value"], meant, atol=CLOSE)].itertuples():
        yield f"guarantees.csv: the bound of {row.method} on {row.dataset} is not that of {row.n_calibrate} images"
    yield from (f"guarantees.csv: {line}" for line in broken_promises(frame))
    yield from _same_iou(frame, at_default(tables["results.parquet"]))


def _same_iou(frame: pd.DataFrame, results: pd.DataFrame) -> Iterator[str]:
    """The IoU over all masks is that of results.parquet, whose means also hold masks without a pixel that counts."""
    cell = ["dataset", "method"]
    known = results[(results["metric"] == "iou") & (results["region"] == "full")].groupby(cell)["value"].mean()
    found = frame[(frame["part"] == "abstention") & (frame["metric"] == "iou")].set_index(cell)["value"]
    for dataset, method in found.index[~np.isclose(found, known.reindex(found.index), atol=CLOSE)]:
        yield f"guarantees.csv: the IoU of {method} on {dataset} is not that of results.parquet"


def verdict(frame: pd.DataFrame) -> dict[str, Any]:
    """What was promised, was it kept at home, and how often was it broken elsewhere.

    kept: method -> alpha -> dataset -> {fnr, bound, everything, holds}. shift: method -> alpha -> {pairs, broken,
    worst}: pairs of datasets, those of them whose mean fnr exceeds alpha, and the largest mean fnr.
    """
    kept: dict[str, Any] = {}
    for row in _promises(frame):
        told = {"fnr": row.fnr, "bound": row.bound, "everything": row.everything, "holds": _holds(row)}
        kept.setdefault(row.method, {}).setdefault(f"{row.setting:g}", {})[row.dataset] = told
    shift: dict[str, Any] = {}
    moved: Any = frame[(frame["part"] == "shift") & (frame["metric"] == "fnr")].groupby(["method", "setting"])["value"]
    for (method, alpha), values in moved:
        broken = int((values > alpha + ROUNDING).sum())
        found = {"pairs": len(values), "broken": broken, "worst": float(values.max())}
        shift.setdefault(method, {})[f"{alpha:g}"] = found
    return {"kept": kept, "shift": shift}


def _promises(frame: pd.DataFrame) -> list[Any]:
    """Each promise with what came of it where it was made: method, setting (alpha), dataset, fnr, bound, everything."""
    rows = frame[frame["part"] == "risk"]
    wide = rows.pivot(index=["method", "setting", "dataset"], columns="metric", values="value")
    return list(wide.reset_index().itertuples(index=False))


def _holds(row: Any) -> bool:
    """The mean fnr of a promise stays below its bound."""
    return bool(row.fnr <= row.bound + ROUNDING)


def broken_promises(frame: pd.DataFrame) -> list[str]:
    """A line for each promise that was not kept where it was made."""
    return [
        f"{row.method} on {row.dataset} misses {row.fnr:.4f}; promised {row.setting:g}, allowed {row.bound:.4f}"
        for row in _promises(frame)
        if not _holds(row)
    ]


EXPERIMENT = Experiment(
    "guarantees", "guarantee", "guarantees", [GUARANTEES], run, problems=problems,
    verdict=verdict,
    metrics=metrics,
    figures={"guarantees": Figure(GUARANTEES.name, guarantees)},
)  # fmt: skip
