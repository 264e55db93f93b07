"""Are the guarantees' reports what they say, and were the promises kept? Called by `check.problems`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.experiments.guarantees.risk import bound
from uncertsam.experiments.guarantees.summary import broken_promises, guarantees_json, read_guarantees
from uncertsam.experiments.guarantees.table import KEYS

SHARES = ["fnr", "of_image", "everything", "probability", "brier", "brier_scaled", "ece", "ece_scaled", "iou", "aurc",
          "coverage"]  # fmt: skip
CLOSE = 1e-6  # numbers are written with eight digits


def guarantee_problems(reports: Path, results: pd.DataFrame) -> Iterator[str]:
    """Everything that is wrong with guarantees.csv and guarantees.json, a line each.

    Raises UserError where a file is missing or unreadable.
    """
    frame, told = read_guarantees(reports / "guarantees.csv"), _json(reports / "guarantees.json")
    if frame.duplicated(KEYS).any():
        yield "guarantees.csv tells a number twice"
        return
    if not frame.empty:
        yield from _ranges(frame)
        yield from _bounds(frame)
        yield from (f"guarantees.csv: {line}" for line in broken_promises(frame))
        yield from _overlap(frame, results)
    if told != guarantees_json(frame):
        yield "guarantees.json does not say what guarantees.csv does"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", "Run the guarantee stage again.") from None


def _ranges(frame: pd.DataFrame) -> Iterator[str]:
    for metric, values in frame[frame["metric"].isin(SHARES)].groupby("metric")["value"]:
        if not values.between(-CLOSE, 1 + CLOSE).all():
            yield f"guarantees.csv: {metric} leaves [0, 1]"
    if (frame["low"] > frame["high"] + CLOSE).any():
        yield "guarantees.csv: a low is above its high"


def _bounds(frame: pd.DataFrame) -> Iterator[str]:
    """A bound is alpha and what so many calibrate images leave to spare."""
    rows = frame[frame["metric"] == "bound"]
    meant = [bound(n, alpha) for n, alpha in zip(rows["n_calibrate"], rows["setting"], strict=True)]
    for row in rows[~np.isclose(rows["value"], meant, atol=CLOSE)].itertuples():
        yield f"guarantees.csv: the bound of {row.method} on {row.dataset} is not that of {row.n_calibrate} images"


def _overlap(frame: pd.DataFrame, results: pd.DataFrame) -> Iterator[str]:
    """The IoU over all masks is that of results.parquet, whose means also hold masks without a pixel that counts."""
    known = results[(results["metric"] == "iou") & (results["region"] == "full")]
    means = known.groupby(["dataset", "method"])["value"].mean()
    rows = frame[(frame["part"] == "abstention") & (frame["metric"] == "iou")]
    for row in rows.to_dict("records"):
        mean = means.get((row["dataset"], row["method"]))
        if mean is None or not np.isclose(row["value"], mean, atol=CLOSE):
            yield f"guarantees.csv: the IoU of {row['method']} on {row['dataset']} is not that of results.parquet"
