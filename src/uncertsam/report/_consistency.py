"""Do the tables of a report follow from each other? What a schema cannot say, a function for each subject."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.base.files import read_json
from uncertsam.config.sections import ALL, POOLED
from uncertsam.experiments.clicking.names import POLICIES
from uncertsam.experiments.clicking.table import DIFFERENCE, MEAN
from uncertsam.experiments.controls.design import CELLS, FACTORS, REFERENCE, TOTAL
from uncertsam.experiments.controls.table import CASE
from uncertsam.experiments.cost.table import cost_problems
from uncertsam.experiments.guarantees.risk import bound
from uncertsam.experiments.guarantees.summary import broken_promises, guarantees_json
from uncertsam.experiments.refinement.names import BOUND, PLAIN, steps_of
from uncertsam.report._tables import MASK, Check, Tables
from uncertsam.report.reproduction import check_reproduction
from uncertsam.statistics.answers import answers_json, plan_of
from uncertsam.statistics.comparisons import compare
from uncertsam.statistics.image_level import image_level
from uncertsam.statistics.intervals import DatasetFacts
from uncertsam.statistics.schema import unlike
from uncertsam.statistics.summary import metrics_json, summary_json
from uncertsam.statistics.table import other_means

AGAIN = "Run dvc repro."
CLOSE = 1e-6  # numbers are written with eight digits


def means(tables: Tables) -> Iterator[str]:
    """intervals.csv, metrics.json, summary.json hold the means of results.parquet; image_level.csv ranks its scores."""
    yield from _means(tables["intervals.csv"], "intervals.csv", tables.default, "results.parquet")
    if read_json(tables.reports / "metrics.json", AGAIN) != metrics_json(tables.default):
        yield "metrics.json does not hold the means of results.parquet"
    told = read_json(tables.reports / "summary.json", AGAIN)
    if {method: {**row, "seconds": None} for method, row in told.items()} != summary_json(tables.default, {}):
        yield "summary.json does not hold the means of results.parquet"
    again, given = (
        t.drop(columns="image_auroc") for t in (image_level(tables["results.parquet"]), tables["image_level.csv"])
    )
    if len(again) != len(given) or any(unlike(given, again, CLOSE)):
        yield "image_level.csv does not rank the scores of results.parquet"


def _means(summary: pd.DataFrame, called: str, table: pd.DataFrame, name: str) -> Iterator[str]:
    for cell in other_means(summary, table):
        yield f"{called}: the mean of {cell} is not that of {name}"


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
    again = compare(tables.default, facts, plan)
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


def _reproduction(tables: Tables) -> Iterator[str]:
    """The times and sizes can be, and reproduction.json holds every claim with a verdict."""
    yield from cost_problems(tables["cost.csv"], sorted(set(tables.default["method"])))
    yield from check_reproduction(read_json(tables.reports / "reproduction.json", AGAIN))


def _refinement(tables: Tables) -> Iterator[str]:
    """Known refinements, the means of the table, and differences that are those of the means."""
    table, found = tables["refinement.parquet"], tables["refinement_answers.csv"]
    methods = set(table["method"])
    for lost in sorted({PLAIN, BOUND} - methods):
        yield f"refinement.parquet: {lost} is missing"
    for other in sorted(name for name in methods - {PLAIN, BOUND} if not steps_of(name)):
        yield f"refinement.parquet: there is no refinement {other!r}"
    yield from _means(tables["refinement.csv"], "refinement.csv", table, "refinement.parquet")
    rows = found[(found["scope"] == "dataset") & (found["reference"] == PLAIN) & (found["metric"] == "iou")]
    measured = table[(table["metric"] == "iou") & (table["region"] == "full")]
    wide = measured.pivot_table("value", "dataset", "method")
    for row in rows.to_dict("records"):
        gap = wide[row["method"]][row["dataset"]] - wide[PLAIN][row["dataset"]]
        if not np.isclose(row["difference"], gap, rtol=CLOSE, atol=1e-7, equal_nan=True):
            yield f"refinement_answers.csv: {row['method']} on {row['dataset']} differs from {PLAIN} by {gap:.6g}"


def _controls(tables: Tables) -> Iterator[str]:
    """Every control, the means of the table, and factors that add up to the whole difference."""
    table, frame = tables["controls.parquet"], tables["controls.csv"]
    for lost in sorted({*CELLS.values(), REFERENCE} - set(table["method"])):
        yield f"controls.parquet: the control {lost} is missing"
    case = ["dataset", *CASE]
    given = frame[(frame["kind"] == "mean") & (frame["dataset"] != POOLED)].set_index(case)["value"]
    found = table.groupby(case)["value"].mean().reindex(given.index)
    for index in given.index[~np.isclose(given, found, rtol=CLOSE, atol=1e-9, equal_nan=True)]:
        yield f"controls.csv: the mean of {', '.join(index)} is not that of controls.parquet"
    wide = frame[frame["kind"] == "shapley"].pivot(
        index=["dataset", "metric", "region"], columns="method", values="value"
    )
    lost_factors = sorted({*FACTORS, TOTAL} - set(wide.columns))
    if lost_factors:
        yield f"controls.csv: the factor {lost_factors[0]} has no Shapley value"
        return
    wrong = ~np.isclose(wide[list(FACTORS)].sum(axis=1, skipna=False), wide[TOTAL], atol=CLOSE, equal_nan=True)
    for dataset, metric, _ in wide.index[wrong]:
        yield f"controls.csv: the Shapley values of {metric} on {dataset} do not add up to the whole difference"


def _guarantees(tables: Tables) -> Iterator[str]:
    """The bounds, the promises, the IoU of the results, and what guarantees.json says of them."""
    frame = tables["guarantees.csv"]
    if not frame.empty:
        yield from _bounds(frame)
        yield from (f"guarantees.csv: {line}" for line in broken_promises(frame))
        yield from _same_iou(frame, tables.default)
    if read_json(tables.reports / "guarantees.json", "Run the guarantee stage.") != guarantees_json(frame):
        yield "guarantees.json does not say what guarantees.csv does"


def _bounds(frame: pd.DataFrame) -> Iterator[str]:
    """A bound is alpha and what so many calibrate images leave to spare."""
    rows = frame[frame["metric"] == "bound"]
    meant = [bound(n, alpha) for n, alpha in zip(rows["n_calibrate"], rows["setting"], strict=True)]
    for row in rows[~np.isclose(rows["value"], meant, atol=CLOSE)].itertuples():
        yield f"guarantees.csv: the bound of {row.method} on {row.dataset} is not that of {row.n_calibrate} images"


def _same_iou(frame: pd.DataFrame, results: pd.DataFrame) -> Iterator[str]:
    """The IoU over all masks is that of results.parquet, whose means also hold masks without a pixel that counts."""
    known = results[(results["metric"] == "iou") & (results["region"] == "full")]
    found = known.groupby(["dataset", "method"])["value"].mean()
    rows = frame[(frame["part"] == "abstention") & (frame["metric"] == "iou")]
    for row in rows.to_dict("records"):
        mean = found.get((row["dataset"], row["method"]))
        if mean is None or not np.isclose(row["value"], mean, atol=CLOSE):
            yield f"guarantees.csv: the IoU of {row['method']} on {row['dataset']} is not that of results.parquet"


def _clicks(tables: Tables) -> Iterator[str]:
    """Every mask after every click by each policy, one beginning for all, and the means of the table."""
    table, frame = tables["clicking.parquet"], tables["clicking.csv"]
    mask = [*MASK, "method"]
    if (table.groupby(mask).size() != len(POLICIES) * (table["clicks"].max() + 1)).any():
        yield "clicking.parquet: a mask was not clicked at as often by every policy"
    if (table[table["clicks"] == 0].groupby(mask)["iou"].nunique() > 1).any():
        yield "clicking.parquet: the policies of a mask begin with different answers"
    both = pd.concat([table, table.assign(dataset=ALL)])
    found = both.groupby(["dataset", "method", "policy", "clicks"])["iou"].mean()
    for row in frame.to_dict("records"):
        place = row["dataset"], row["method"]
        value = found.get((*place, row["policy"], row["clicks"]), np.nan)
        value -= found.get((*place, "random", row["clicks"]), np.nan) if row["kind"] == DIFFERENCE else 0.0
        if not np.isclose(row["value"], value, atol=CLOSE):
            told = f"{row['kind']} of {row['policy']} clicks of {row['method']} on {row['dataset']}"
            yield f"clicking.csv: the {told} is not that of clicking.parquet"
    if (count := int((frame["kind"] == MEAN).sum())) != len(found):
        yield f"clicking.csv has {count} means, not {len(found)}"


# the tables of each subject, and what must hold between them and the results
SUBJECTS: dict[str, tuple[list[str], list[Check]]] = {
    "results": (["results.parquet", "intervals.csv", "image_level.csv", "curves.parquet"], [means, _curves]),
    "controls": (["controls.parquet", "controls.csv", "controls_subset.csv"], [_controls]),
    "answers": (["answers.csv", "cost.csv"], [_answers, _reproduction]),
    "refinement": (["refinement.parquet", "refinement.csv", "refinement_answers.csv"], [_refinement]),
    "guarantees": (["guarantees.csv"], [_guarantees]),
    "clicks": (["clicking.parquet", "clicking.csv"], [_clicks]),
}


def contradictions(tables: Tables, subject: str) -> list[str]:
    """Everything that is wrong with the tables of a subject, a line each. Raises UserError where one is unreadable."""
    names, between = SUBJECTS[subject]
    return tables.problems(names, *between)
