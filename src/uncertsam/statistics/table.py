"""The long table of all measures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_table, written_aside

KEY = ["dataset", "image_id", "mask_id", "method", "metric", "region"]
COLUMNS = [*KEY, "value"]
MEASURE = "then run the measure stage (or measure_refined) again."  # finished cells are kept
AGAIN, ALL_AGAIN = f"Delete it, {MEASURE}", f"Delete data/measures (or data/measures_refined), {MEASURE}"


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
    cell = read_table(path, AGAIN)
    check_schema(cell, str(path))
    if (cell["method"] != method).any() or (cell["dataset"] != dataset).any():
        raise UserError(f"{path} holds measures of another method or dataset than {method}, {dataset}.", AGAIN)
    return cell[COLUMNS]


def check_schema(table: pd.DataFrame, name: str) -> None:
    """Raise UserError, naming the table, unless it has exactly the columns of `COLUMNS` in their types."""
    if set(table.columns) != set(COLUMNS):
        raise UserError(f"{name} has the columns {sorted(table.columns)}, not {sorted(COLUMNS)}.", AGAIN)
    for column in COLUMNS:
        if not _fits(column, table[column]):
            raise UserError(f"Column {column} of {name} has the type {table[column].dtype}.", AGAIN)


def _fits(column: str, values: pd.Series) -> bool:
    if column == "value":
        return values.dtype == "float64"
    if column in ("image_id", "mask_id"):
        return pd.api.types.is_integer_dtype(values)
    return pd.api.types.is_string_dtype(values) and not values.hasnans


def check_table(table: pd.DataFrame) -> None:
    """Raise UserError on a value given twice, or where the methods of a dataset were measured on different masks."""
    twice = table[table.duplicated(KEY)]
    if len(twice):
        raise UserError(f"{len(twice)} measures are given twice, the first for {_first(twice)}.", ALL_AGAIN)
    methods = table.groupby("dataset")["method"].transform("nunique")
    sharing = table.groupby([c for c in KEY if c != "method"], sort=False)["method"].transform("size")
    uneven = table[sharing < methods]
    if len(uneven):
        raise UserError(f"Not every method of its dataset has {_first(uneven)}.", ALL_AGAIN)


def table_problems(table: pd.DataFrame, name: str) -> list[str]:
    """What `check_schema` or `check_table` has against a table, as a list of at most one line."""
    try:
        check_schema(table, name)
        check_table(table)
    except UserError as error:
        return [str(error)]
    return []


def other_means(summary: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    """The cells whose `mean_masks` in `summary` is not the mean of the table's values, as "dataset, method, ..."."""
    cell = ["dataset", "method", "metric", "region"]
    means = table.groupby(cell)["value"].mean()
    given = summary.set_index(cell)["mean_masks"].reindex(means.index)
    wrong = ~np.isclose(given, means, rtol=1e-6, atol=1e-9, equal_nan=True)
    return [", ".join(index) for index in means.index[wrong]]


def _first(rows: pd.DataFrame) -> str:
    return ", ".join(f"{column} {rows.iloc[0][column]}" for column in KEY)


def write_table(target: Path, table: pd.DataFrame) -> None:
    """Write a table of measures (results.parquet, or one cell of it), whole or not at all."""
    check_schema(table, str(target))
    with written_aside(target) as aside:
        table[COLUMNS].to_parquet(aside, index=False)
