"""check-reports on the answers: what the pipeline writes passes, and any damage is named."""

import json

import numpy as np
import pandas as pd
import pytest
from cells import long

from uncertsam.base.errors import UserError
from uncertsam.base.files import write_json
from uncertsam.experiments.contract import schemas
from uncertsam.report._consistency import subjects
from uncertsam.report._evidence import Evidence
from uncertsam.report._published import Known
from uncertsam.report.reproduction import Judged, reproduction_json
from uncertsam.statistics.answers import answers_json
from uncertsam.statistics.comparisons import ANSWERS, Plan, compare
from uncertsam.statistics.intervals import DatasetFacts, intervals
from uncertsam.statistics.schema import Tables

PLAN = Plan(["pearson", "brier"], ["sam"], 200)


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = []
    for dataset in ("one", "two", "few"):
        n = 3 if dataset == "few" else 9
        for metric in PLAN.metrics:
            base = rng.uniform(0.1, 0.5, n)
            for method, step in (("sam", 0.0), ("laplace", 0.1)):
                frame = pd.DataFrame({"dataset": dataset, "image_id": range(n), "mask_id": range(n), "method": method})
                parts.append(frame.assign(metric=metric, region="full", value=base + step))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def reports(tmp_path):
    results = table()
    facts = {name: DatasetFacts(True, "synthetic") for name in ("one", "two", "few")}
    intervals(results, facts, 100).to_csv(tmp_path / "intervals.csv", index=False)
    frame = compare(results, facts, PLAN)
    ANSWERS.write(tmp_path / "answers.csv", frame)
    write_json(tmp_path / "answers.json", answers_json(frame, PLAN))
    known = {name: Known(name, "istd", True) for name in facts}
    judged = Judged.of(Evidence({"results": results}, facts, known, "nano", 50))
    write_json(tmp_path / "reproduction.json", reproduction_json(judged))
    return tmp_path


def told(reports) -> str:
    tables, checks = Tables(reports, schemas(), {"results.parquet": long(table())}), subjects()
    return "\n".join(checks["answers"](tables) + checks["claims"](tables))


def test_what_the_stages_write_is_sound(reports) -> None:
    assert told(reports) == ""


@pytest.mark.parametrize("column", ["difference", "p_holm", "outcome", "n_images"])
def test_a_forged_answer_is_computed_again(reports, column) -> None:
    frame = pd.read_csv(reports / "answers.csv", keep_default_na=False)
    frame[column] = frame[column].astype(object)
    frame.loc[0, column] = "better" if column == "outcome" else 0.5
    frame.loc[2, column] = "worse" if column == "outcome" else 7
    frame.to_csv(reports / "answers.csv", index=False)
    assert f"answers.csv: {column} of row" in told(reports)


def test_a_lost_row_and_forged_words_are_found(reports) -> None:
    content = json.loads((reports / "answers.json").read_text())
    content["answers"]["sam"]["pearson"]["laplace"]["sentence"] = "Laplace is best."
    (reports / "answers.json").write_text(json.dumps(content))
    assert told(reports) == "answers.json does not say what answers.csv does"
    pd.read_csv(reports / "answers.csv").iloc[1:].to_csv(reports / "answers.csv", index=False)
    assert "rows, not" in told(reports)


@pytest.mark.parametrize("name", ["answers.csv", "answers.json", "reproduction.json"])
def test_a_missing_file_is_a_clear_error(reports, name) -> None:
    (reports / name).unlink()
    with pytest.raises(UserError, match=name):
        told(reports)
