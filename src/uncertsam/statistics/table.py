"""The long table of all measures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.metrics.masks import METRICS
from uncertsam.metrics.region import REGIONS
from uncertsam.statistics.schema import COUNT, NUMBER, WORD, Column, Range, Schema

MEASURE = "then run the measure stage (or measure_refined) again."  # finished cells are kept
AGAIN, ALL_AGAIN = f"Delete it, {MEASURE}", f"Delete data/measures (or data/measures_refined), {MEASURE}"
_FREE = math.inf
_WIDER: dict[str, Range] = {"nll": (0.0, _FREE), "mean_u": (-_FREE, _FREE)}
_WIDER |= dict.fromkeys(("pearson", "spearman"), (-1.0, 1.0))
MASK = ["dataset", "image_id", "mask_id"]
RESULTS = Schema(
    "results.parquet",
    "Run the tabulate stage.",
    {"dataset": WORD, "image_id": COUNT, "mask_id": COUNT, "method": WORD, "metric": Column("str", words=METRICS),
     "region": Column("str", words=REGIONS), "value": NUMBER},
    ["dataset", "image_id", "mask_id", "method", "metric", "region"],
    ranges={metric: _WIDER.get(metric, (0.0, 1.0)) for metric in METRICS},
    even="method",
)  # fmt: skip
KEY, COLUMNS = list(RESULTS.key), list(RESULTS.columns)
CELL = replace(RESULTS, mend=AGAIN)


def collect(measures: Mapping[tuple[str, str], Path]) -> pd.DataFrame:
    """All cells, {(method, dataset): parquet file}, as one table sorted by its key.

    Raises UserError where a file is missing, of another cell, or breaks a rule of `check_table`.
    """
    cells = [_read_cell(path, method, dataset) for (method, dataset), path in measures.items()]
    table = pd.concat(cells, ignore_index=True) if cells else pd.DataFrame()
    if table.empty:
        raise UserError("There are no measures to collect.", "Name at least one method and a dataset with masks.")
    check_table(table)
    return table.sort_values(KEY, ignore_index=True)


def _read_cell(path: Path, method: str, dataset: str) -> pd.DataFrame:
    cell = CELL.read(path)
    if (cell["method"] != method).any() or (cell["dataset"] != dataset).any():
        raise UserError(f"{path} holds measures of another method or dataset than {method}, {dataset}.", AGAIN)
    return cell


def check_table(table: pd.DataFrame) -> None:
    """Raise UserError on a value given twice, or where the methods of a dataset were measured on different masks."""
    for line in CELL.broken(table):
        raise UserError(f"{line}.", ALL_AGAIN)


def other_means(summary: pd.DataFrame, table: pd.DataFrame, cell: Sequence[str], mean: str) -> list[str]:
    """The cells of a summary whose `mean` is not the mean of the table's values, as "dataset, method, ..."."""
    means = table.groupby(list(cell))["value"].mean()
    given = summary.set_index(list(cell))[mean].reindex(means.index)
    wrong = ~np.isclose(given, means, rtol=1e-6, atol=1e-9, equal_nan=True)
    return [", ".join(map(str, index)) for index in means.index[wrong]]
