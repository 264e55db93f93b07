"""check-reports: sound reports pass, and every kind of damage is found and named."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from cells import write_maps

from uncertsam.base.errors import UserError
from uncertsam.base.rng import numpy_generator
from uncertsam.data.format import Annotation, ImageRecord, encode_rle, write_split
from uncertsam.experiments.contract import Experiment
from uncertsam.metrics.measure import measure_cell
from uncertsam.report._evidence import Evidence
from uncertsam.report._published import Known
from uncertsam.report.check import Places, problems
from uncertsam.report.reproduction import Judged, reproduction_json
from uncertsam.statistics.answers import answers_json
from uncertsam.statistics.comparisons import ANSWERS, Plan, compare
from uncertsam.statistics.curves import CURVES
from uncertsam.statistics.image_level import IMAGE_LEVEL, image_level
from uncertsam.statistics.intervals import INTERVALS, facts_of, intervals
from uncertsam.statistics.summary import metrics_json, summary_json
from uncertsam.statistics.table import RESULTS, at_default, collect


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Places:
    """Reports of one method on four noisy discs, made by the pipeline's own functions."""
    from PIL import Image

    from uncertsam.base.files import sha256, write_json
    from uncertsam.data.format import read_split

    base = tmp_path_factory.mktemp("reports")
    split, rng = base / "benchmark" / "discs" / "test", numpy_generator(0, "discs")
    (split / "images").mkdir(parents=True)
    y, x = np.mgrid[:48, :64]
    records, masks, logits = [], [], []
    for k in range(4):
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(split / "images" / f"{k:08d}.jpg")
        truth = (x - 30) ** 2 + (y - 20 - k) ** 2 < 150
        digest = sha256(split / "images" / f"{k:08d}.jpg")
        records.append(ImageRecord(k, 64, 48, f"disc {k}", digest, f"disc {k}", "human"))
        masks.append(Annotation(k, k, int(truth.sum()), encode_rle(truth), "disc"))
        logits.append((np.where(truth, 2.0, -2.0) + rng.normal(0, 2, truth.shape))[::4, ::4])
    write_split(split, {"dataset": "discs", "synthetic": True}, records, masks)
    low, index = np.stack(logits).astype(np.float32), pd.DataFrame({"image_id": range(4), "mask_id": range(4)})
    cell = write_maps(base / "predictions" / "discs" / "sam", index, {"logits": low, "doubt": np.exp(-np.abs(low))})
    measured = base / "measured.parquet"
    found = measure_cell(cell, split, "sam", "discs", model="nano")
    RESULTS.write(measured, found.table)
    CURVES.write(base / "reports" / "curves.parquet", found.curves)
    whole = collect({("sam", "discs"): measured})
    RESULTS.write(base / "reports" / "results.parquet", whole)
    IMAGE_LEVEL.write(base / "reports" / "image_level.csv", image_level(whole))
    table = at_default(whole)
    write_json(base / "reports" / "metrics.json", metrics_json(table))
    write_json(base / "reports" / "summary.json", summary_json(table, {"sam": 0.1}))
    frame = intervals(table, {"discs": facts_of(read_split(split))}, 50, 0)
    INTERVALS.write(base / "reports" / "intervals.csv", frame)
    plan = Plan(["pearson"], ["sam"], 50)  # one method: nothing to compare, and that is what is written
    answers = compare(table, {"discs": facts_of(read_split(split))}, plan)
    ANSWERS.write(base / "reports" / "answers.csv", answers)
    write_json(base / "reports" / "answers.json", answers_json(answers, plan))
    known = {"discs": Known("discs", "folder", True)}
    evidence = Evidence({"results": table}, {"discs": facts_of(read_split(split))}, known, "nano", 50)
    write_json(base / "reports" / "reproduction.json", reproduction_json(Judged.of(evidence)))
    (base / "reports" / "figures").mkdir()
    for suffix in (".svg", ".png", ".csv"):
        (base / "reports" / "figures" / f"bars{suffix}").write_text("a\n1\n")
    return Places(base / "reports", base / "benchmark", base / "predictions", base / "refined", "test")


@pytest.fixture
def places(sound, tmp_path) -> Places:
    """A copy to damage."""
    shutil.copytree(sound.reports, tmp_path / "reports")
    return Places(tmp_path / "reports", sound.benchmark, sound.predictions, sound.refined, "test")


def found(places: Places, cells: int = 0) -> str:
    return "\n".join(problems(places, cells, 0, []))


def changed(places: Places, metric: str, value: float) -> None:
    """One value of one metric replaced in the table."""
    path = places.reports / "results.parquet"
    table = pd.read_parquet(path)
    table.loc[table.index[table["metric"] == metric][0], "value"] = value
    table.to_parquet(path, index=False)


def test_sound_reports_pass_and_every_value_is_recomputed(sound):
    assert found(sound, 10_000) == ""


def test_one_forged_value_is_recomputed_and_contradicts_the_means(places):
    changed(places, "iou", 0.123)
    told = found(places, 10_000)
    assert "iou" in told and "is 0.123, recomputed" in told
    assert "not that of results.parquet" in told and "metrics.json" in told


def test_a_value_that_its_metric_cannot_have_is_named(places):
    changed(places, "brier", 1.5)
    assert "brier leaves [0, 1] in 1 rows, such as 1.5 of model nano, dataset discs" in found(places)


def test_a_missing_column_is_a_clear_error(places):
    path = places.reports / "results.parquet"
    pd.read_parquet(path).drop(columns="region").to_parquet(path, index=False)
    with pytest.raises(UserError, match="results.parquet has the columns.*region"):
        found(places)


def test_a_forged_mean_is_found(places):
    path = places.reports / "metrics.json"
    means = json.loads(path.read_text())
    means["discs"]["sam"]["iou"] += 0.01
    path.write_text(json.dumps(means))
    assert "metrics.json" in found(places)


def test_a_forged_summary_is_found(places):
    path = places.reports / "summary.json"
    path.write_text(path.read_text().replace('"brier": 0.', '"brier": 1.'))
    assert "summary.json does not hold the means" in found(places)


def test_a_forged_rank_of_masks_is_found(places):
    path = places.reports / "image_level.csv"
    frame = pd.read_csv(path)
    frame.assign(image_augrc=frame["image_augrc"] / 2).to_csv(path, index=False)
    assert "image_level.csv does not rank the scores of results.parquet" in found(places)


def test_a_mean_outside_of_its_interval_is_found(places):
    path = places.reports / "intervals.csv"
    frame = pd.read_csv(path)
    frame["low"] = frame["high"] = frame["mean_masks"] + 1.0
    frame.to_csv(path, index=False)
    assert "lies outside of its interval" in found(places)


def test_a_figure_without_its_numbers_is_found(places):
    (places.reports / "figures" / "bars.csv").unlink()
    assert "figures/bars.csv is missing" in found(places)


def test_a_curve_that_loses_pixels_or_leaves_its_range_is_found(places):
    path = places.reports / "curves.parquet"
    curves = pd.read_parquet(path)
    curves.assign(weight=curves["weight"] / 2).to_parquet(path)
    assert "do not hold every pixel once" in found(places)
    curves.assign(y=curves["y"] + 1).to_parquet(path)
    assert "y leaves [0, 1]" in found(places)


@pytest.mark.parametrize("name", ["curves.parquet", "results.parquet", "intervals.csv", "metrics.json"])
def test_a_missing_file_is_a_clear_error(places, name):
    (places.reports / name).unlink()
    with pytest.raises(UserError, match=name):
        problems(places, 0, 0, [])


def test_the_seed_alone_chooses_what_is_recomputed(places):
    changed(places, "iou", 0.123)
    assert [problems(places, 5, seed, []) for seed in range(4)] == [problems(places, 5, seed, []) for seed in range(4)]


def test_experiments_are_checked_too(sound):
    told = Experiment("tides", "flow", problems=lambda tables: [f"{tables.reports.name} say no tide"])
    assert problems(sound, 0, 0, [told]) == ["reports say no tide"]
