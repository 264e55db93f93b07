"""Do the answers follow from the tables? All of them computed again, from the plan that they name."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.experiments.cost.table import cost_problems, read_cost
from uncertsam.report.reproduction import check_reproduction
from uncertsam.statistics.answers import answers_json, plan_of, read_answers
from uncertsam.statistics.comparisons import COLUMNS, compare
from uncertsam.statistics.intervals import DatasetFacts
from uncertsam.statistics.selection import read_intervals

WRITTEN = 1e-6  # relative: numbers are written with eight digits


def answer_problems(reports: Path, results: pd.DataFrame) -> Iterator[str]:
    """What is wrong with answers.csv and .json, cost.csv, reproduction.json. Raises UserError where one is missing."""
    told, answers = _json(reports / "answers.json"), read_answers(reports / "answers.csv")
    try:
        plan = plan_of(told)
    except (KeyError, TypeError):
        yield "answers.json names no plan"
        return
    again = compare(results, _facts(reports / "intervals.csv"), plan)
    differing = list(_differing(answers, again))
    yield from differing
    if not differing and _rounded(told) != _rounded(answers_json(again, plan)):
        yield "answers.json does not say what answers.csv does"
    yield from cost_problems(read_cost(reports / "cost.csv"), sorted(set(results["method"])))
    yield from check_reproduction(_json(reports / "reproduction.json"))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", "Run dvc repro.") from None


def _facts(path: Path) -> dict[str, DatasetFacts]:
    firsts: Any = read_intervals(path).drop_duplicates("dataset").itertuples()
    return {str(row.dataset): DatasetFacts(bool(row.synthetic), str(row.quality)) for row in firsts}


def _differing(found: pd.DataFrame, again: pd.DataFrame) -> Iterator[str]:
    if len(found) != len(again):
        yield f"answers.csv has {len(found)} rows, not {len(again)}"
        return
    for column in COLUMNS:
        if pd.api.types.is_float_dtype(again[column]):
            same = np.isclose(found[column], again[column], rtol=WRITTEN, atol=WRITTEN, equal_nan=True)
        else:
            same = (found[column].astype(str) == again[column].astype(str)).to_numpy()
        if not same.all():
            row = int(np.flatnonzero(~same)[0])
            yield f"answers.csv: {column} of row {row} is {found[column][row]}, computed again {again[column][row]}"


def _rounded(value: Any) -> Any:
    """Numbers cut to six digits: what two readings of the same table agree on."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
