"""Arms compared with plain SAM and with their twins of ones: the differences are those of the masks, step by step."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cells import long

from uncertsam.config.arms import BOUND, PLAIN, method_of, refined_methods, steps_of
from uncertsam.experiments.contract import schemas
from uncertsam.experiments.refinement.compare import METRICS, compared
from uncertsam.experiments.refinement.experiment import EXPERIMENT
from uncertsam.experiments.refinement.section import readings
from uncertsam.statistics.comparisons import ALIKE, ANSWERS, BETTER
from uncertsam.statistics.intervals import DatasetFacts
from uncertsam.statistics.schema import Tables
from uncertsam.statistics.table import RESULTS, unrefined

ARMS = ["sam_ones", "la_ones", "la", "sam_entropy"]
GAIN = {"sam_ones": 0.05, "la_ones": 0.05, "la": 0.08, "sam_entropy": 0.05}  # of every metric and step


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Four datasets of 8 images; every further step adds the arm's gain again."""
    rng, rows = np.random.default_rng(0), []
    for dataset in ("a", "b", "c", "d"):
        for image in range(8):
            level = rng.uniform(0.3, 0.5)
            for method in [PLAIN, *refined_methods(ARMS, 2)]:
                arm = method.removeprefix("fusion_").removesuffix("_2")
                noise = rng.normal(0, 1e-3) if method not in (PLAIN, BOUND) else 0.0
                value = level + steps_of(method) * GAIN.get(arm, 0.0) + noise
                value = 0.95 if method == BOUND else value
                rows += [(dataset, image, image, method, metric, "full", value) for metric in METRICS]
    return pd.DataFrame(rows, columns=["dataset", "image_id", "mask_id", "method", "metric", "region", "value"])


@pytest.fixture(scope="module")
def found(table) -> pd.DataFrame:
    return compared(table, {name: DatasetFacts(False, "human") for name in "abcd"}, 200, 0)


def overall(found: pd.DataFrame, method: str, reference: str, metric: str = "iou") -> pd.Series:
    rows = found[(found["scope"] == "overall") & (found["method"] == method)]
    return rows[(rows["reference"] == reference) & (rows["metric"] == metric)].iloc[0]


def test_names_and_steps_are_inverse() -> None:
    assert [steps_of(name) for name in refined_methods(["la"], 3)] == [1, 2, 3, 0]
    assert method_of("la", 1) == "fusion_la" and method_of("sam_ones", 3) == "fusion_sam_ones_3"


def test_gains_over_plain_sam_add_up_over_steps(found) -> None:
    for arm, gain in GAIN.items():
        for step in (1, 2):
            row = overall(found, method_of(arm, step), PLAIN)
            assert row["difference"] == pytest.approx(step * gain, abs=2e-3) and row["outcome"] == BETTER


def test_only_an_arm_that_uses_uncertainty_beats_its_twin(found) -> None:
    assert overall(found, "fusion_la", "fusion_la_ones")["outcome"] == BETTER
    assert overall(found, "fusion_sam_entropy", "fusion_sam_ones")["outcome"] == ALIKE


def test_every_arm_is_compared_with_those_of_its_own_step_and_the_bound_with_none(found) -> None:
    pairs = set(zip(found["method"], found["reference"], strict=True))
    assert ("fusion_la_2", "fusion_la_ones_2") in pairs and ("fusion_la_2", "fusion_la_ones") not in pairs
    assert BOUND not in set(found["method"]) and PLAIN not in set(found["method"])


def test_a_family_holds_the_arms_of_one_step(found) -> None:
    """Holm counts four tests: the smallest p of four datasets, 2/16, becomes at most 4 times that."""
    row = overall(found, "fusion_la", PLAIN)
    assert row["p"] == pytest.approx(0.125) and row["p_holm"] <= 4 * 0.125 + 1e-12


def test_the_page_reads_gains_and_null_results_alike(found) -> None:
    told = readings(found)
    assert any("better by" in line and "Laplace + U against SAM 2" in line for line in told)
    assert any("no difference shown" in line and "SAM + U against" in line for line in told)


@pytest.fixture
def reports(found, tmp_path) -> Path:
    ANSWERS.write(tmp_path / "refinement_answers.csv", found)
    return tmp_path


def wrong(reports: Path, table: pd.DataFrame) -> str:
    return "\n".join(EXPERIMENT.contradictions(Tables(reports, schemas(), {RESULTS.name: long(table)})))


def test_a_forged_difference_is_found(reports, table) -> None:
    assert wrong(reports, table) == ""
    halved = table.assign(value=table["value"].where(table["method"] != "fusion_la", table["value"] / 2))
    assert "refinement_answers.csv: fusion_la on a differs" in wrong(reports, halved)


def test_refined_masks_are_no_methods_of_the_comparison(table) -> None:
    assert {*unrefined(table)["method"]} == {PLAIN}
    others = table.assign(method="tta_hue")
    pd.testing.assert_frame_equal(unrefined(others), others)
