"""The controls' numbers: what is put in comes out, pooled and paired as registered; and their reports are checked."""

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from uncertsam.base.errors import UserError
from uncertsam.config.sections import POOLED
from uncertsam.experiments.contract import tables_of
from uncertsam.experiments.controls.design import CELLS, FACTORS, LA, SAM, TOTAL
from uncertsam.experiments.controls.experiment import EXPERIMENT
from uncertsam.experiments.controls.figure import steps, waterfall
from uncertsam.experiments.controls.section import contents, reading
from uncertsam.experiments.controls.table import CONTROLS, attributed, differences, metrics_of
from uncertsam.statistics.shapley import shapley


@pytest.fixture(scope="module")
def frame(control_reports) -> pd.DataFrame:
    return CONTROLS.read(control_reports / "controls.csv")


@pytest.fixture
def places(control_reports, tmp_path):
    return shutil.copytree(control_reports, tmp_path / "reports")


def value(frame: pd.DataFrame, kind: str, dataset: str, method: str, metric: str = "pearson") -> pd.Series:
    keys = zip(("kind", "dataset", "method", "metric"), (kind, dataset, method, metric), strict=True)
    rows = frame[np.logical_and.reduce([frame[name] == key for name, key in keys])]
    assert len(rows) == 1
    return rows.iloc[0]


def test_what_each_factor_adds_is_found(frame):
    for dataset in ("reef", "shoal", POOLED):
        assert value(frame, "shapley", dataset, "token").value == pytest.approx(0.2)
        assert value(frame, "shapley", dataset, "bayes").value == pytest.approx(0.01)
        assert value(frame, "shapley", dataset, "gate").value == pytest.approx(0, abs=1e-12)
        assert value(frame, "shapley", dataset, "token", "iou").value == pytest.approx(-0.1)


def test_the_values_of_the_means_are_the_means_of_the_values(controlled, frame):
    """Linearity, which lets the bootstrap resample masks' values."""
    part = controlled[(controlled["dataset"] == "reef") & (controlled["metric"] == "iou")]
    means = part.groupby("method")["value"].mean()
    exact = shapley({s: Fraction(means[name]) for s, name in CELLS.items()}, list(FACTORS))
    assert sum(exact.values()) == Fraction(means[LA]) - Fraction(means[SAM])
    for factor in FACTORS:
        assert value(frame, "shapley", "reef", factor, "iou").value == pytest.approx(float(exact[factor]), abs=1e-9)


def test_the_pooled_value_is_the_mean_of_the_datasets_that_have_five_images(frame):
    for kind, method in (("mean", SAM), ("shapley", "precision"), ("difference", "laplace_n5")):
        two = [value(frame, kind, name, method).value for name in ("reef", "shoal")]
        assert value(frame, kind, POOLED, method).value == pytest.approx(np.mean(two))
    assert value(frame, "mean", POOLED, SAM).n_images == 12
    few = value(frame, "shapley", "few", "token")
    assert few.note == "n too small" and np.isnan(few.low)


def test_a_mask_without_a_value_in_one_cell_is_left_out_of_all(controlled):
    spoiled = controlled.copy()
    here = (spoiled["metric"] == "pearson") & (spoiled["mask_id"] == 11) & (spoiled["method"] == LA)
    spoiled.loc[here & (spoiled["dataset"] == "reef"), "value"] = np.nan
    whole, less = attributed(controlled), attributed(spoiled)
    assert len(whole) - len(less) == len(FACTORS) + 3  # four factors, their total, both ends
    gone = less[(less["dataset"] == "reef") & (less["metric"] == "pearson")]
    assert 11 not in set(gone["mask_id"])


def test_differences_are_paired_with_the_closed_form(controlled):
    found = differences(controlled)
    assert set(found["method"]) == {"laplace_n5", "laplace_bernoulli"}
    assert np.allclose(found.loc[found["method"] == "laplace_n5", "value"], 0.02)


def test_a_missing_cell_is_refused(controlled):
    with pytest.raises(UserError, match=SAM):
        attributed(controlled[controlled["method"] != SAM])


def test_mlflow_gets_pooled_means_and_shapley_values_by_the_shared_names(frame):
    found = metrics_of(frame)
    assert found["shapley_token"]["pearson"] == pytest.approx(0.2)
    assert set(found[SAM]) == {"pearson", "brier", "iou", "boundary_iou_0.02", "nll", "aurc", "mean_u"}
    assert f"shapley_{SAM}" not in found


def test_the_waterfall_runs_from_sam_to_laplace_without_a_gap(frame, tmp_path):
    for path in waterfall(frame, tmp_path / "w"):
        assert path.stat().st_size
    for metric in ("pearson", "iou"):
        drawn = steps(frame, [metric])
        assert drawn["method"].tolist() == [SAM, *FACTORS, LA]
        assert drawn["begin"].iloc[1] == pytest.approx(drawn["value"].iloc[0])
        assert (drawn["begin"] + drawn["value"]).iloc[4] == pytest.approx(drawn["value"].iloc[5])
    with pytest.raises(UserError, match="ablate stage"):
        steps(frame, ["dice"])


def test_a_null_result_is_printed_as_one_and_an_effect_with_its_direction(frame):
    pooled = frame[frame["dataset"] == POOLED]
    said = {metric: reading(pooled, metric) for metric in ("pearson", "brier", "iou")}
    assert "Bayes explains +0.0100 (+0.0100 to +0.0100: better)" in said["pearson"]
    assert "Bayes explains 0.0000" in said["brier"] and "no effect shown" in said["brier"]
    assert "the largest part is the token, -0.1000" in said["iou"] and said["iou"].endswith("worse).")


def test_the_page_has_every_dataset_and_control(control_reports):
    found = contents(tables_of(control_reports))
    assert next(label for label, _ in found["shares"][0][1]).startswith("Pooled")
    assert len(found["shares"][0][1]) == 4 and len(found["single"]) == 3
    assert found["masks"] == 24 and found["images"] == 12


def test_sound_reports_have_no_problems(control_reports):
    assert EXPERIMENT.contradictions(tables_of(control_reports)) == []


def edited(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    if path.suffix == ".parquet":
        change(pd.read_parquet(path)).to_parquet(path, index=False)
    else:
        change(pd.read_csv(path)).to_csv(path, index=False)


def where(column: str, value: float, **chosen: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Set a column where others have these values."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        here = np.logical_and.reduce([table[name] == text for name, text in chosen.items()])
        table.loc[here, column] = value
        return table

    return change


DAMAGE = {
    "do not add up": ("controls.csv", where("value", 7.0, kind="shapley", method=TOTAL)),
    "is not that of controls.parquet": ("controls.csv", where("value", 7.0, kind="mean", dataset="few")),
    f"control {SAM} is missing": ("controls.parquet", lambda t: t[t["method"] != SAM]),
}


@pytest.mark.parametrize("says", DAMAGE)
def test_damage_is_found_and_named(places, says):
    name, change = DAMAGE[says]
    edited(places / name, change)
    assert any(says in line for line in EXPERIMENT.contradictions(tables_of(places)))
