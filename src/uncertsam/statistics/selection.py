"""The numbers that are drawn: choosing and ordering the rows of `intervals.csv`."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.catalogue import DATASETS, METHODS, dataset_label, in_order

NUMBERS = ["mean_masks", "mean_images", "low", "high", "n_images", "n_masks", "n_nan", "detectable"]
FLAGS = ["note", "synthetic", "quality"]
TOO_SMALL = "n too small"


def chosen(frame: pd.DataFrame, metrics: Sequence[str], columns: Sequence[str] = NUMBERS) -> pd.DataFrame:
    """The rows of some metrics, of the whole image, with the columns and in the order of a figure.

    Missing (dataset, method) pairs stay missing and NaN stays NaN. Raises UserError where nothing is left.
    """
    rows = frame[frame["metric"].isin(list(metrics)) & (frame["region"] == "full")]
    if rows.empty:
        raise UserError(f"The table has no row of {', '.join(metrics)}.", "Run the measure and tabulate stages again.")
    ranks = [
        ("dataset", in_order(rows["dataset"], DATASETS)),
        ("method", in_order(rows["method"], METHODS)),
        ("metric", list(metrics)),
    ]
    order = pd.DataFrame({key: rows[key].map(names.index) for key, names in ranks}, index=rows.index)
    columns = ["dataset", "method", "metric", *columns, *FLAGS]
    return rows.loc[order.sort_values(["dataset", "method", "metric"]).index, columns].reset_index(drop=True)


def too_small(frame: pd.DataFrame) -> set[str]:
    """The datasets whose every number rests on too few images."""
    few = (frame["note"] == TOO_SMALL).groupby(frame["dataset"]).all()
    return {str(name) for name in few[few].index}


def labels(frame: pd.DataFrame) -> dict[str, str]:
    """Each dataset of a table, in the table's order, with its label (see `catalogue.dataset_label`)."""
    few, firsts = too_small(frame), frame.drop_duplicates("dataset").itertuples()
    return {
        str(row.dataset): dataset_label(str(row.dataset), bool(row.synthetic), str(row.quality), row.dataset in few)
        for row in firsts
    }


def methods(frame: pd.DataFrame) -> list[str]:
    """The methods of a table, in the order that every figure uses."""
    return in_order(frame["method"], METHODS)


def marks(frame: pd.DataFrame) -> dict[tuple[str, str, str], Any]:
    """Each row with a value as a named tuple, by (dataset, method, metric). A key that is not there is a gap."""
    rows = frame[frame["mean_masks"].notna()].itertuples()
    return {(str(row.dataset), str(row.method), str(row.metric)): row for row in rows}
