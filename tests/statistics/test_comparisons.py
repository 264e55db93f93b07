"""Paired comparisons: exact shifts, null results that stay null, clusters that count, and SciPy's bootstrap."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from uncertsam.statistics.answers import (
    answers_json,
    limits_of_proof,
    plan_of,
    sentence,
    signed,
)
from uncertsam.statistics.comparisons import (
    ALIKE,
    ANSWERS,
    BETTER,
    COLUMNS,
    SAME,
    UNTESTED,
    WORSE,
    Plan,
    absent,
    compare,
)
from uncertsam.statistics.intervals import DatasetFacts

PLAN = Plan(("pearson", "brier"), ("sam",), 1000)
HUMAN = DatasetFacts(False, "human")


def rows(dataset: str, method: str, values: np.ndarray, metric: str = "pearson", per_image: int = 1) -> pd.DataFrame:
    """A measure of so many masks, `per_image` to an image."""
    masks = np.arange(len(values))
    frame = pd.DataFrame({"dataset": dataset, "image_id": masks // per_image, "mask_id": masks, "method": method})
    return frame.assign(metric=metric, region="full", value=values)


def shifted(steps: dict[str, float], datasets: int = 8, n: int = 20, metric: str = "pearson") -> pd.DataFrame:
    """`sam` with random values, and methods that differ from it by a constant, on so many datasets."""
    generator = np.random.default_rng(1)
    base = {f"d{k}": generator.uniform(0.2, 0.6, n) for k in range(datasets)}
    methods = {"sam": 0.0} | steps
    return pd.concat(rows(d, m, v + step, metric) for d, v in base.items() for m, step in methods.items())


def facts(table: pd.DataFrame, **given: DatasetFacts) -> dict[str, DatasetFacts]:
    return {name: given.get(name, HUMAN) for name in set(table["dataset"])}


def overall(frame: pd.DataFrame, method: str, metric: str = "pearson", reference: str = "sam") -> pd.Series:
    keys = (frame["method"] == method) & (frame["metric"] == metric) & (frame["reference"] == reference)
    (row,) = (row for _, row in frame[keys & (frame["scope"] == "overall")].iterrows())
    return row


def test_a_shifted_copy_gives_the_shift_exactly_and_is_better_everywhere() -> None:
    table = shifted({"laplace": 0.1})
    frame = compare(table, facts(table), PLAN)
    assert list(frame.columns) == COLUMNS and len(frame) == 9
    for name in ("difference", "low", "high"):
        assert frame[name].to_numpy() == pytest.approx(0.1, abs=1e-12)
    assert (frame["outcome"] == BETTER).all()
    row = overall(frame, "laplace")
    assert row["p"] == row["p_holm"] == pytest.approx(2**-7) and row["effect"] == 1 and row["n_datasets"] == 8


def test_for_a_metric_where_less_is_better_the_same_shift_is_worse() -> None:
    table = shifted({"laplace": 0.1}, metric="brier")
    assert overall(compare(table, facts(table), PLAN), "laplace", "brier")["outcome"] == WORSE


def test_identical_methods_differ_by_nothing_and_have_no_test() -> None:
    table = shifted({"laplace": 0.0})
    row = overall(compare(table, facts(table), PLAN), "laplace")
    assert row["difference"] == row["low"] == row["high"] == 0 and row["outcome"] == SAME
    assert math.isnan(row["p"]) and math.isnan(row["p_holm"]) and "identical" in sentence(row, 0.05)


def test_a_null_result_is_a_null_result_and_says_what_would_have_been_seen() -> None:
    table, generator = shifted({}), np.random.default_rng(3)
    other = table.assign(method="laplace", value=table["value"] + generator.normal(0, 0.1, len(table)))
    row = overall(compare(pd.concat([table, other]), facts(table), PLAN), "laplace")
    assert row["outcome"] == ALIKE and row["low"] < 0 < row["high"] and row["p_holm"] > 0.05
    assert row["detectable"] == pytest.approx(2.8 * row["error"], rel=1e-3)
    told = sentence(row, 0.05)
    assert "no difference shown" in told and "would have been seen" in told and "better" not in told


def test_each_mask_its_own_image_is_scipys_paired_bootstrap() -> None:
    generator = np.random.default_rng(5)
    a, b = generator.normal(0.5, 0.1, 60), generator.normal(0.5, 0.1, 60)
    table = pd.concat([rows("d", "laplace", a), rows("d", "sam", b)])
    row = compare(table, facts(table), Plan(("pearson",), ("sam",), 20_000)).iloc[0]
    theirs = stats.bootstrap(
        (a, b), lambda x, y, axis: (x - y).mean(axis=axis), paired=True, n_resamples=20_000, method="percentile", rng=0
    )
    interval = theirs.confidence_interval
    assert row["difference"] == pytest.approx((a - b).mean())
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high), abs=0.1 * theirs.standard_error)
    assert row["error"] == pytest.approx(theirs.standard_error, rel=0.03)
    assert row["effect"] == pytest.approx((a - b).mean() / (a - b).std(ddof=1))


def test_repeating_masks_within_their_image_makes_nothing_surer() -> None:
    """Ten equal masks per image: ten times the masks, the same doubt; a bootstrap over masks would claim a third."""
    generator = np.random.default_rng(6)
    difference = generator.normal(0, 0.1, 30)
    doubts = {}
    for copies in (1, 10):
        values = np.repeat(difference, copies)
        table = pd.concat(
            [rows("d", "laplace", values, per_image=copies), rows("d", "sam", 0 * values, per_image=copies)]
        )
        doubts[copies] = compare(table, facts(table), PLAN).iloc[0]
    assert doubts[10]["n_masks"] == 300 and doubts[10]["n_images"] == 30
    assert doubts[10]["error"] == pytest.approx(doubts[1]["error"], rel=1e-9)
    loose = pd.concat([rows("d", "laplace", np.repeat(difference, 10)), rows("d", "sam", np.zeros(300))])
    assert compare(loose, facts(loose), PLAN).iloc[0]["error"] < 0.5 * doubts[10]["error"]


def test_untrue_labels_and_few_images_are_left_out_of_the_tests_and_say_so() -> None:
    table = pd.concat(
        [shifted({"laplace": 0.1}, 6), rows("few", "sam", np.zeros(3)), rows("few", "laplace", np.ones(3))]
    )
    frame = compare(table, facts(table, d0=DatasetFacts(False, "model")), PLAN)
    sets = frame[frame["scope"] == "dataset"].set_index("dataset")
    assert sets.loc["d0", "outcome"] == sets.loc["few", "outcome"] == UNTESTED
    assert (sets.loc["d0", "note"], sets.loc["few", "note"]) == ("labels are not ground truth", "n too small")
    assert overall(frame, "laplace")["n_datasets"] == 5
    left = answers_json(frame, PLAN)["datasets"]["left_out"]
    assert left == {"d0": "labels are not ground truth", "few": "n too small"}


def test_worlds_are_not_averaged_with_photos() -> None:
    table = shifted({"laplace": 0.1}, 6)
    mixed = compare(table, facts(table, d0=DatasetFacts(True, "synthetic")), PLAN)
    assert overall(mixed, "laplace")["n_datasets"] == 5 and not overall(mixed, "laplace")["synthetic"]
    worlds = compare(table, {name: DatasetFacts(True, "synthetic") for name in facts(table)}, PLAN)
    assert overall(worlds, "laplace")["n_datasets"] == 6 and overall(worlds, "laplace")["synthetic"]


def test_holm_counts_the_methods_and_neither_baselines_nor_copies() -> None:
    steps = {"laplace": 0.1, "prompt": 0.2, "tta_hue": 0.0, "constant": -0.3}
    table = shifted(steps)
    frame = compare(table, facts(table), PLAN)
    assert overall(frame, "laplace")["p_holm"] == pytest.approx(2 * 2**-7)
    assert math.isnan(overall(frame, "constant")["p_holm"]) and overall(frame, "constant")["outcome"] == WORSE
    assert "baseline" in sentence(overall(frame, "constant"), 0.05)


def test_where_the_test_could_not_have_shown_anything_that_is_said() -> None:
    table = shifted({name: 0.1 * k for k, name in enumerate(("laplace", "prompt", "tta_hue"), 1)}, datasets=5)
    frame = compare(table, facts(table), PLAN)
    (line,) = limits_of_proof(frame, PLAN)
    assert "5 datasets and 3 methods" in line and "below 0.19" in line
    assert "not shown beyond them" in sentence(overall(frame, "laplace"), 0.05)
    enough = shifted({"laplace": 0.1})
    assert limits_of_proof(compare(enough, facts(enough), PLAN), PLAN) == []


def test_every_dataset_weighs_the_same_however_many_masks_it_has() -> None:
    parts = []
    for name, n, step in (("small", 10, 0.4), ("large", 1000, 0.0)):
        base = np.random.default_rng(n).uniform(0, 0.5, n)
        parts += [rows(name, "sam", base), rows(name, "laplace", base + step)]
    table = pd.concat(parts)
    assert overall(compare(table, facts(table), PLAN), "laplace")["difference"] == pytest.approx(0.2)


def test_a_mask_without_a_value_is_left_out_on_both_sides() -> None:
    table = shifted({"laplace": 0.1}, 1).reset_index(drop=True)
    table.loc[(table["method"] == "laplace") & (table["mask_id"] == 0), "value"] = np.nan
    row = compare(table, facts(table), PLAN).iloc[0]
    assert row["difference"] == pytest.approx(0.1) and (row["n_nan"], row["n_masks"], row["n_images"]) == (1, 20, 19)


def test_answers_read_back_as_written(tmp_path) -> None:
    table = shifted({"laplace": 0.1, "prompt": -0.1})
    frame = compare(table, facts(table), PLAN)
    ANSWERS.write(tmp_path / "answers.csv", frame)
    pd.testing.assert_frame_equal(ANSWERS.read(tmp_path / "answers.csv"), frame, check_dtype=False, rtol=1e-6)
    assert plan_of(answers_json(frame, PLAN)) == Plan(["pearson", "brier"], ["sam"], 1000)


def test_what_was_not_measured_is_named_and_stops_nothing() -> None:
    table = shifted({"laplace": 0.1})
    plan = Plan(("pearson", "brier"), ("sam", "boundary_distance"), 100)
    frame = compare(table, facts(table), plan)
    assert absent(frame, plan) == ["boundary_distance", "brier"]
    alone = compare(table[table["method"] == "sam"], facts(table), plan)
    assert alone.empty and list(alone.columns) == COLUMNS


@pytest.mark.parametrize(
    ("value", "text"), [(0.01234, "+0.012"), (-0.15, "-0.15"), (0.000021, "+0.000021"), (0.0, "+0.00"), (-1.5, "-1.50")]
)
def test_a_difference_is_shown_with_two_digits_that_count(value, text) -> None:
    assert signed(value) == text
