"""What can be promised of a mask, and is it kept? Told in the terms of `experiments.contract`."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.experiments.bench import Bench
from uncertsam.experiments.contract import Experiment, Figure, Frames
from uncertsam.experiments.guarantees.figure import guarantees
from uncertsam.experiments.guarantees.risk import bound
from uncertsam.experiments.guarantees.summary import broken_promises, verdict
from uncertsam.experiments.guarantees.table import GUARANTEES
from uncertsam.statistics.schema import Tables

CLOSE = 1e-6


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
    yield from _same_iou(frame, tables["results.parquet"])


def _same_iou(frame: pd.DataFrame, results: pd.DataFrame) -> Iterator[str]:
    """The IoU over all masks is that of results.parquet, whose means also hold masks without a pixel that counts."""
    cell = ["dataset", "method"]
    known = results[(results["metric"] == "iou") & (results["region"] == "full")].groupby(cell)["value"].mean()
    found = frame[(frame["part"] == "abstention") & (frame["metric"] == "iou")].set_index(cell)["value"]
    for dataset, method in found.index[~np.isclose(found, known.reindex(found.index), atol=CLOSE)]:
        yield f"guarantees.csv: the IoU of {method} on {dataset} is not that of results.parquet"


EXPERIMENT = Experiment(
    "guarantees", "guarantee", "guarantees", [GUARANTEES], run, problems=problems,
    verdict=verdict,
    metrics=metrics,
    figures={"guarantees": Figure(GUARANTEES.name, guarantees)},
)  # fmt: skip
