"""One contract for all experiments: what one writes passes its own checks, and nothing else knows one by name."""

import re

import pandas as pd
import pytest

from uncertsam.base.errors import UserError
from uncertsam.config.params import Config
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.contract import Experiment, experiment_named, experiments, schemas, tables_of
from uncertsam.statistics.schema import NUMBER, WORD, Schema, Tables

LONG = Schema("tides.parquet", "Run the flow stage.", {"dataset": WORD, "value": NUMBER}, ["dataset"])
MEANS = Schema("tides.csv", "Run the flow stage.", {"dataset": WORD, "value": NUMBER}, ["dataset"])
TIDES = Experiment(
    "tides", "flow", "tides", [LONG, MEANS],
    run=lambda bench: {LONG.name: pd.DataFrame({"dataset": ["reef", "shoal"], "value": [1.0, 3.0]})},
    summarise=lambda frames, bench: {MEANS.name: frames[LONG.name].assign(value=lambda t: t["value"].mean())},
    problems=lambda tables: ["they differ"] * int(tables[MEANS.name]["value"][0] != tables[LONG.name]["value"].mean()),
    verdict=lambda frame: {"high": float(frame["value"].max())},
)  # fmt: skip


@pytest.fixture
def tables(root, tmp_path) -> Tables:
    return TIDES.write(Bench(Config.read(root / "params.yaml"), tmp_path), tmp_path / "reports")


def again(tables: Tables) -> list[str]:
    return TIDES.contradictions(Tables(tables.reports, tables.schemas))


def test_what_an_experiment_writes_passes_its_own_checks(tables):
    assert again(tables) == [] and sorted(p.name for p in tables.reports.iterdir()) == [
        "tides.csv", "tides.json", "tides.parquet",
    ]  # fmt: skip


def test_a_forged_table_contradicts_the_others_and_the_verdict(tables):
    MEANS.write(tables.reports / MEANS.name, tables[MEANS.name].assign(value=7.0))
    assert again(tables) == ["they differ", "tides.json does not say what tides.csv does"]


def test_a_lost_table_is_named_with_its_stage(tables):
    (tables.reports / LONG.name).unlink()
    with pytest.raises(UserError, match=r"tides\.parquet is missing.*flow stage"):
        again(tables)


def test_no_two_experiments_share_a_name_a_table_or_a_figure_and_all_have_captions():
    found = experiments()
    assert [e.name for e in found] == sorted({e.name for e in found}) and len(found) >= 5
    tables = [schema.name for e in found for schema in e.schemas]
    figures = [stem for e in found for stem in e.figures]
    assert len(set(tables)) == len(tables) and len(set(figures)) == len(figures)
    assert all(e.captions().keys() == e.figures.keys() for e in found)
    assert {figure.table for e in found for figure in e.figures.values()} <= set(schemas())


def test_rooms_above_know_no_experiment_by_its_name(root):
    names = "|".join(e.name for e in experiments())
    for path in [*(root / "src/uncertsam/report").glob("*.py"), root / "stages/figures.py", root / "stages/report.py"]:
        assert not re.search(rf"experiments\.(?:{names})\b", path.read_text(encoding="utf-8")), path


def test_an_unknown_experiment_and_dataset_are_named_with_a_suggestion(root, tmp_path):
    with pytest.raises(UserError, match=r"no experiment 'clickin'.*'clicking'"):
        experiment_named("clickin")
    bench = Bench(Config.read(root / "params.yaml"), tmp_path)
    with pytest.raises(UserError, match=r"tides\.datasets: 'orgns' is not reported.*'organs'"):
        bench.datasets("tides", ["orgns"])
    with pytest.raises(UserError, match=r"organs.*preprocess"):
        bench.split("organs")
    assert bench.methods(["absent"]) == list(bench.config.methods)[:1]
    assert tables_of(tmp_path).schemas.keys() >= {"results.parquet"}
