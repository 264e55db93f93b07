"""The long table: one number per model, mask, method, measure, metric and region."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.config.arms import is_refined
from uncertsam.metrics.aggregation import AGGREGATIONS, BASELINES, PREFIX
from uncertsam.metrics.masks import LEVELS, METRICS, RANKING
from uncertsam.metrics.region import REGIONS
from uncertsam.statistics.schema import COUNT, NUMBER, WORD, Column, Range, Schema

MEASURE = "then run the measure stage again."  # finished cells are kept
AGAIN, ALL_AGAIN = f"Delete it, {MEASURE}", f"Delete data/measures, {MEASURE}"
SCORES = ["predicted_iou", *(PREFIX + name for name in (*AGGREGATIONS, *BASELINES))]  # of a mask as a whole
MASK = ["dataset", "image_id", "mask_id"]
_FREE = math.inf
_WIDER: dict[str, Range] = {"nll": (0.0, _FREE), "mean_u": (-_FREE, _FREE)}
_WIDER |= dict.fromkeys(("pearson", "spearman"), (-1.0, 1.0))
_WHERE = {"dataset": WORD, "image_id": COUNT, "mask_id": COUNT, "method": WORD}
_WHAT = {"metric": Column("str", words=[*METRICS, *SCORES]), "region": Column("str", words=REGIONS), "value": NUMBER}
_LONG = {"model": WORD, **_WHERE, "measure": WORD, "level": Column("str", words=LEVELS), **_WHAT}
RESULTS = Schema(
    "results.parquet",
    "Run the tabulate stage.",
    _LONG,
    [name for name in _LONG if name != "value"],
    ranges={metric: _WIDER.get(metric, (0.0, 1.0)) for metric in (*METRICS, "predicted_iou")},
)
PER_MASK = replace(  # of one model and of each method's own measure
    RESULTS, columns={**_WHERE, **_WHAT}, key=[*_WHERE, "metric", "region"], even="method"
)
KEY, COLUMNS = list(RESULTS.key), list(PER_MASK.columns)
CELL = replace(RESULTS, mend=AGAIN)


def at_default(table: pd.DataFrame) -> pd.DataFrame:
    """What figures and comparisons look at: the metrics of each method by its own measure, of the first model.

    The columns are those of `PER_MASK`. A method's own measure is the one that its IoU and its Brier score stand by.
    Scores of masks are left out: `image_level` ranks them.
    """
    rows = _marked(table)
    return rows.loc[rows["own"] == "both", COLUMNS].reset_index(drop=True)


def unrefined(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of methods that are compared with each other: those of refined masks are for their own experiment."""
    refined = [name for name in frame["method"].unique() if is_refined(name)]
    return frame[~frame["method"].isin(refined)].reset_index(drop=True)


def by_every_measure(table: pd.DataFrame) -> pd.DataFrame:
    """As `at_default`, and every other measure as a method "METHOD@MEASURE"."""
    rows = _marked(table)
    other = rows["own"] != "both"
    rows.loc[other, "method"] += "@" + rows.loc[other, "measure"]
    return rows[COLUMNS].reset_index(drop=True)


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    """The first model's rows without scores; `own` is "both" where they are by the method's own measure."""
    rows = table[table["model"].isin(table["model"].head(1)) & ~table["metric"].isin(SCORES)]
    own = rows.loc[~rows["metric"].isin(RANKING), ["dataset", "method", "measure"]].drop_duplicates()
    return rows.merge(own, how="left", indicator="own")


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
    """Raise UserError where `broken` says something. table: the long one, or one of `PER_MASK`."""
    for line in broken(table) if "measure" in table else PER_MASK.broken(table):
        raise UserError(f"{line}.", ALL_AGAIN)


def broken(table: pd.DataFrame) -> Iterator[str]:
    """A line for each column of a long table that lacks values, for rows given twice, and for methods that were
    measured on different masks: no other check makes sense then.
    """
    yield from RESULTS.broken(table)
    yield from PER_MASK.broken(at_default(table))


def other_means(summary: pd.DataFrame, table: pd.DataFrame, cell: Sequence[str], mean: str) -> list[str]:
    """The cells of a summary whose `mean` is not the mean of the table's values, as "dataset, method, ..."."""
    means = table.groupby(list(cell))["value"].mean()
    given = summary.set_index(list(cell))[mean].reindex(means.index)
    wrong = ~np.isclose(given, means, rtol=1e-6, atol=1e-9, equal_nan=True)
    return [", ".join(map(str, index)) for index in means.index[wrong]]
