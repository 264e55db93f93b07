"""Reports of before measures were an axis, in today's columns; and what of them today's reports hold otherwise.

    python profiles/convert_results.py FOLDER                     # its tables are rewritten
    python profiles/convert_results.py FOLDER --against reports   # nothing is written; every difference is a line

Methods of the variance network become measures of one; the scores that image-level numbers ranked are kept as such;
refined masks become methods of the one table.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml

from uncertsam.config.arms import PLAIN
from uncertsam.experiments.contract import schemas
from uncertsam.metrics.masks import OVERLAPS, RANKING
from uncertsam.statistics.schema import TOLERANCE, unlike
from uncertsam.statistics.table import KEY, PER_MASK, RESULTS

OWN = {
    "constant": "constant",
    "boundary_distance": "boundary_proximity",
    "combined_total": "variance_p",
    "combined_sum": "sum_of_entropies",
    "combined_fitted": "expected_error",
    "variance_entropy": "coin_entropy",
    "variance_logvar": "log_variance",
    "variance_var": "squared_error",
}  # the others' is the predictive entropy
KEPT = {"variance_entropy": "variance"}
GONE = ["variance_logvar", "variance_var"]
TABLES = [
    "results.parquet", "intervals.csv", "curves.parquet", "guarantees.csv", "clicking.parquet", "clicking.csv",
    "refinement_answers.csv",
]  # fmt: skip
REFINED = {"results.parquet": "refinement.parquet", "intervals.csv": "refinement.csv"}  # where refined masks were


def read(folder: Path, name: str, model: str) -> pd.DataFrame:
    """One of `TABLES` as today's, whichever it is; with the refined masks, where they have a table of their own."""
    parts = [_read(folder / name, name, model)]
    if name in REFINED and (folder / REFINED[name]).is_file():
        refined = _read(folder / REFINED[name], name, model)
        parts.append(refined[refined["method"] != PLAIN])  # the same numbers stand in the other table
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(list(schemas()[name].key), ignore_index=True) if len(parts) > 1 else table


def _read(path: Path, name: str, model: str) -> pd.DataFrame:
    table = pd.read_parquet(path) if path.suffix == ".parquet" else schemas()[name].read(path)
    if list(table.columns) == list(PER_MASK.columns):
        return converted(table, model)
    return table[~table["method"].isin(GONE)].replace({"method": KEPT}).reset_index(drop=True)


def converted(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """A long table with the columns of before, as today's."""
    rows = table.assign(model=model, measure=table["method"].map(OWN).fillna("predictive_entropy"), level="pixel")
    rows.loc[rows["metric"].isin(OVERLAPS), "level"] = "mask"
    only_ranked = rows["metric"].isin(RANKING) & (rows["region"] == "full")
    scores = rows[(rows["metric"] == "mean_u") & (rows["region"] == "full")].assign(metric="score_mean", level="mask")
    rows = pd.concat([rows[~rows["method"].isin(GONE) | only_ranked], scores])
    rows["method"] = rows["method"].replace({**KEPT, **dict.fromkeys(GONE, "variance")})
    return rows[list(RESULTS.columns)].sort_values(KEY, ignore_index=True)


def changes(old: Path, new: Path, name: str, model: str) -> Iterator[str]:
    """What of a table is missing or another number today; rows that only today's has are no difference."""
    before, after = (read(folder, name, model) for folder in (old, new))
    keys, schema = list(schemas()[name].key), schemas()[name]
    both = before.merge(after, on=keys, how="left", suffixes=("", "\n"), indicator="found")
    if len(lost := both[both["found"] == "left_only"]):
        yield f"{name}: {len(lost)} rows are missing, the first of {schema.row(lost)}"
    both, numbers = both[both["found"] == "both"], [c for c in before.columns if c not in keys]
    now = both[[f"{c}\n" for c in numbers]].set_axis(numbers, axis=1)
    for column, row in unlike(both[numbers], now, 10 * TOLERANCE if name.endswith(".parquet") else TOLERANCE):
        where, values = schema.row(both.iloc[row]), (frame[column].iloc[row] for frame in (now, both))
        yield f"{name}: {column} of {where} is {next(values)}, was {next(values)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--against", type=Path)
    given = parser.parse_args()
    params = next(p for p in (given.folder / "params.yaml", Path("params.yaml")) if p.is_file())
    values = yaml.safe_load(params.read_text(encoding="utf-8"))
    model = str(values["model"]["name"] if "model" in values else values["base"]["model"])
    there = [name for name in TABLES if (given.folder / name).is_file()]
    if given.against is None:
        tables = {name: read(given.folder, name, model) for name in there}
        for name, table in tables.items():
            schemas()[name].write(given.folder / name, table)
        for name in REFINED.values():
            (given.folder / name).unlink(missing_ok=True)
        return
    there = [name for name in there if (given.against / name).is_file()]
    found = [line for name in there for line in changes(given.folder, given.against, name, model)]
    print(*found, f"{len(found)} differences in {', '.join(there)}", sep="\n")


if __name__ == "__main__":
    main()
