"""Are the controls' reports what they say? Called by `check.problems`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_table
from uncertsam.config.sections import POOLED
from uncertsam.experiments.controls.design import CELLS, FACTORS, REFERENCE, REGION, TOTAL
from uncertsam.experiments.controls.table import AGAIN, KEY, KINDS, read_controls
from uncertsam.metrics.masks import METRICS
from uncertsam.statistics.table import table_problems

CASE = ["dataset", "method", "metric", "region"]
SUBSET = ["dataset", "split", "image_id", "image_sha256", "mask_id", "mask_sha256"]


def control_problems(reports: Path) -> Iterator[str]:
    """Everything that is wrong with controls.parquet, controls.csv and controls_subset.csv, a line each.

    Raises UserError where a file is missing or unreadable.
    """
    table, frame = read_table(reports / "controls.parquet", AGAIN), read_controls(reports / "controls.csv")
    if wrong := table_problems(table, "controls.parquet"):
        yield from wrong
        return
    yield from _cells(table)
    yield from _masks(reports / "controls_subset.csv", table)
    yield from _summary(frame, table)
    yield from _shapley(frame)


def _cells(table: pd.DataFrame) -> Iterator[str]:
    for lost in sorted({*CELLS.values(), REFERENCE} - set(table["method"])):
        yield f"controls.parquet: the control {lost} is missing"
    for column, known in ("metric", METRICS), ("region", [REGION]):
        for other in sorted(set(table[column]) - set(known)):
            yield f"controls.parquet: there is no {column} {other!r}"


def _masks(path: Path, table: pd.DataFrame) -> Iterator[str]:
    """The measured masks are those of the list."""
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", AGAIN) from None
    if list(rows.columns) != SUBSET:
        yield f"controls_subset.csv has the columns {list(rows.columns)}, not {SUBSET}"
        return
    listed, found = (
        set(t[["dataset", "image_id", "mask_id"]].itertuples(index=False, name=None)) for t in (rows, table)
    )
    if listed != found:
        yield f"controls_subset.csv and controls.parquet differ in {len(listed ^ found)} masks"


def _summary(frame: pd.DataFrame, table: pd.DataFrame) -> Iterator[str]:
    """Each row once, the means of the table, and every value within its interval."""
    for kind in sorted(set(frame["kind"]) - set(KINDS)):
        yield f"controls.csv: there is no kind {kind!r}"
    if frame.duplicated(KEY).any():
        yield f"controls.csv holds {frame.duplicated(KEY).sum()} rows twice"
        return
    given = frame[(frame["kind"] == "mean") & (frame["dataset"] != POOLED)].set_index(CASE)["value"]
    means = table.groupby(CASE)["value"].mean().reindex(given.index)
    for index in given.index[~np.isclose(given, means, rtol=1e-6, atol=1e-9, equal_nan=True)]:
        yield f"controls.csv: the mean of {', '.join(index)} is not that of controls.parquet"
    known = frame.dropna(subset=["low", "high"])
    for row in known[(known["low"] > known["value"] + 1e-7) | (known["high"] < known["value"] - 1e-7)].itertuples():
        yield f"controls.csv: {row.kind} of {row.dataset}, {row.method}, {row.metric} lies outside of its interval"


def _shapley(frame: pd.DataFrame) -> Iterator[str]:
    """The four factors add up to the whole difference."""
    rows = frame[frame["kind"] == "shapley"]
    wide = rows.pivot(index=["dataset", "metric", "region"], columns="method", values="value")
    lost = sorted({*FACTORS, TOTAL} - set(wide.columns))
    if lost:
        yield f"controls.csv: the factor {lost[0]} has no Shapley value"
        return
    wrong = ~np.isclose(wide[list(FACTORS)].sum(axis=1, skipna=False), wide[TOTAL], atol=1e-6, equal_nan=True)
    for dataset, metric, _ in wide.index[wrong]:
        yield f"controls.csv: the Shapley values of {metric} on {dataset} do not add up to the whole difference"
