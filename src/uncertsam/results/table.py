"""The long table of all measures, and the nested means that people and dashboards read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from uncertsam.errors import UserError
from uncertsam.files import read_table, write_json, written_aside
from uncertsam.results.image_level import image_level_scores

KEY = ["dataset", "image_id", "mask_id", "method", "metric", "region"]
COLUMNS = [*KEY, "value"]
AGAIN = "Run the measure stage again."


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
        raise UserError(f"{len(twice)} measures are given twice, the first for {_first(twice)}.", AGAIN)
    methods = table.groupby("dataset")["method"].transform("nunique")
    sharing = table.groupby([c for c in KEY if c != "method"], sort=False)["method"].transform("size")
    uneven = table[sharing < methods]
    if len(uneven):
        raise UserError(f"Not every method of its dataset has {_first(uneven)}.", AGAIN)


def _first(rows: pd.DataFrame) -> str:
    return ", ".join(f"{column} {rows.iloc[0][column]}" for column in KEY)


def metrics_json(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    """dataset -> method -> metric -> mean over masks, NaN left out; None where nothing is left.

    `iou` is the full image, `iou_roi` the dilated truth; the image-level scores (`image_auroc` ...) stand beside them.
    """
    means = table.groupby(["dataset", "method", "metric", "region"])["value"].mean()
    scores = image_level_scores(table).set_index(["dataset", "method", "metric", "region"])["value"]
    nested: dict[str, Any] = {}
    for (dataset, method, metric, region), value in pd.concat([means, scores]).items():
        key = metric if region == "full" else f"{metric}_{region}"
        nested.setdefault(dataset, {}).setdefault(method, {})[key] = None if pd.isna(value) else float(value)
    return nested


def write_table(target: Path, table: pd.DataFrame) -> None:
    """Write a table of measures (results.parquet, or one cell of it), whole or not at all."""
    check_schema(table, str(target))
    with written_aside(target) as aside:
        table[COLUMNS].to_parquet(aside, index=False)


def write_metrics(target: Path, table: pd.DataFrame) -> None:
    """Write `metrics_json` of a table, whole or not at all."""
    write_json(target, metrics_json(table))
