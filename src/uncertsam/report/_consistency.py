"""Do the tables of a report follow from each other? What a schema cannot say; experiments bring their own checks."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from uncertsam.base.files import read_json
from uncertsam.report.reproduction import check_reproduction
from uncertsam.statistics.answers import answers_json, plan_of
from uncertsam.statistics.comparisons import ANSWERS, compare
from uncertsam.statistics.curves import CURVES
from uncertsam.statistics.image_level import IMAGE_LEVEL, image_level
from uncertsam.statistics.intervals import CELL, INTERVALS, DatasetFacts
from uncertsam.statistics.schema import Check, Tables, unlike
from uncertsam.statistics.summary import metrics_json, summary_json
from uncertsam.statistics.table import RESULTS, at_default, other_means, unrefined

AGAIN = "Run dvc repro."
CLOSE = 1e-6  # numbers are written with eight digits


def _results(tables: Tables) -> Iterator[str]:
    """intervals.csv, metrics.json, summary.json hold the means of results.parquet; image_level.csv ranks its scores."""
    table = at_default(tables["results.parquet"])
    for cell in other_means(tables["intervals.csv"], table, CELL, "mean_masks"):
        yield f"intervals.csv: the mean of {cell} is not that of results.parquet"
    plain = unrefined(table)
    if read_json(tables.reports / "metrics.json", AGAIN) != metrics_json(plain):
        yield "metrics.json does not hold the means of results.parquet"
    told = read_json(tables.reports / "summary.json", AGAIN)
    if {method: {**row, "seconds": None} for method, row in told.items()} != summary_json(plain, {}):
        yield "summary.json does not hold the means of results.parquet"
    again, given = (
        t.drop(columns="image_auroc") for t in (image_level(tables["results.parquet"]), tables["image_level.csv"])
    )
    if len(again) != len(given) or any(unlike(given, again, CLOSE)):
        yield "image_level.csv does not rank the scores of results.parquet"
    yield from _curves(tables)


def _curves(tables: Tables) -> Iterator[str]:
    """The bins of a reliability curve hold every pixel once."""
    table = tables["curves.parquet"]
    bins = table[table["kind"] == "reliability"].groupby(["dataset", "method"])["weight"].sum()
    for dataset, method in bins.index[~np.isclose(bins, 1, atol=1e-4)]:
        yield f"curves.parquet: the bins of {dataset}, {method} do not hold every pixel once"


def _answers(tables: Tables) -> Iterator[str]:
    """answers.csv and .json follow from the results: all of them computed again, from the plan that they name."""
    told, found = read_json(tables.reports / "answers.json", AGAIN), tables["answers.csv"]
    try:
        plan = plan_of(told)
    except (KeyError, TypeError):
        yield "answers.json names no plan"
        return
    firsts: Any = tables["intervals.csv"].drop_duplicates("dataset").itertuples()
    facts = {str(row.dataset): DatasetFacts(bool(row.synthetic), str(row.quality)) for row in firsts}
    again = compare(unrefined(at_default(tables["results.parquet"])), facts, plan)
    if len(found) != len(again):
        yield f"answers.csv has {len(found)} rows, not {len(again)}"
        return
    differing = list(unlike(found, again, CLOSE))
    for column, row in differing:
        yield f"answers.csv: {column} of row {row} is {found[column][row]}, computed again {again[column][row]}"
    if not differing and _rounded(told) != _rounded(answers_json(again, plan)):
        yield "answers.json does not say what answers.csv does"


def _rounded(value: Any) -> Any:
    """Numbers cut to six digits: what two readings of the same table agree on."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _claims(tables: Tables) -> Iterator[str]:
    """reproduction.json holds every claim with a verdict."""
    yield from check_reproduction(read_json(tables.reports / "reproduction.json", AGAIN))


def subjects() -> dict[str, Callable[[Tables], list[str]]]:
    """The checks of the plain comparison: each gives a line for everything that is wrong with its tables.

    They raise UserError where a table is missing or unreadable.
    """
    core: dict[str, tuple[list[str], Check]] = {
        "results": ([RESULTS.name, INTERVALS.name, IMAGE_LEVEL.name, CURVES.name], _results),
        "answers": ([ANSWERS.name], _answers),
        "claims": ([], _claims),
    }
    return {name: partial(Tables.problems, names=names, between=check) for name, (names, check) in core.items()}
