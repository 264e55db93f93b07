"""Bootstrap intervals over images: what they cover, what they share, when there are none."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from uncertsam.data.format import Annotation, ImageRecord, Split
from uncertsam.statistics.intervals import COLUMNS, DatasetFacts, facts_of, intervals, resamples

FACTS = {"a": DatasetFacts(True, "synthetic"), "b": DatasetFacts(False, "human")}


def long_table(values, images, method="x", dataset="a", metric="iou"):
    """One row per mask: `values` and the images that the masks belong to."""
    n = len(values)
    return pd.DataFrame(
        {
            "dataset": [dataset] * n,
            "image_id": images,
            "mask_id": range(n),
            "method": [method] * n,
            "metric": [metric] * n,
            "region": ["full"] * n,
            "value": np.asarray(values, float),
        }
    )


def test_95_percent_intervals_cover_the_true_mean_about_95_percent_of_the_time():
    """Masks of one image share their image's level, as real ones do; the true mean is 0 in each of 400 trials."""
    rng = np.random.default_rng(0)
    images = np.repeat(np.arange(40), rng.integers(1, 6, 40))
    trials = [rng.normal(0, 1, 40)[images] + rng.normal(0, 0.5, len(images)) for _ in range(400)]
    table = pd.concat([long_table(values, images, metric=f"trial {t}") for t, values in enumerate(trials)])
    found = intervals(table, FACTS, draws=500)
    assert 0.91 <= ((found["low"] <= 0) & (found["high"] >= 0)).mean() <= 0.97


def test_intervals_over_images_are_wider_than_over_masks_where_masks_agree():
    images = np.repeat(np.arange(30), 8)
    values = np.random.default_rng(0).normal(size=30)[images]
    by_image, by_mask = (intervals(long_table(values, i), FACTS).iloc[0] for i in (images, np.arange(240)))
    ratio = (by_image["high"] - by_image["low"]) / (by_mask["high"] - by_mask["low"])
    assert ratio == pytest.approx(math.sqrt(8), rel=0.15)


def test_means_over_masks_and_over_images_and_counts():
    row = intervals(long_table([1, 0, 0, 0.5, math.nan, math.nan], [0, 0, 0, 1, 1, 2]), FACTS).iloc[0]
    assert row["mean_masks"] == pytest.approx(1.5 / 4)
    assert row["mean_images"] == pytest.approx((1 / 3 + 0.5) / 2)
    assert (row["n_masks"], row["n_nan"], row["n_images"]) == (6, 2, 2)


def test_columns_facts_and_detectable_difference():
    values, images = np.random.default_rng(0).random(40), np.arange(40) // 2
    table = pd.concat([long_table(values, images, dataset=d) for d in "ab"])
    found = intervals(table, FACTS)
    assert list(found.columns) == COLUMNS
    assert list(found["synthetic"]) == [True, False] and list(found["quality"]) == ["synthetic", "human"]
    np.testing.assert_allclose(found["detectable"], (found["high"] - found["low"]) / math.sqrt(2))
    assert (found["low"] < found["mean_masks"]).all() and (found["mean_masks"] < found["high"]).all()


@pytest.mark.parametrize(("n_images", "note"), [(1, "n too small"), (4, "n too small"), (5, "")])
def test_below_five_images_there_is_no_interval_but_a_note(n_images, note):
    values = np.linspace(0, 1, 2 * n_images)
    row = intervals(long_table(values, np.arange(2 * n_images) // 2), FACTS).iloc[0]
    assert row["note"] == note and row["mean_masks"] == pytest.approx(0.5)
    assert pd.isna(row[["low", "high", "detectable"]]).all() == bool(note)


def test_a_metric_without_values_has_none():
    row = intervals(long_table([math.nan] * 6, range(6)), FACTS).iloc[0]
    assert pd.isna(row[["mean_masks", "mean_images", "low", "high"]]).all()
    assert row["n_nan"] == 6 and row["n_images"] == 0 and row["note"] == "n too small"


def test_the_same_seed_gives_the_same_table_whatever_the_order_of_rows():
    table = long_table(np.random.default_rng(0).random(30), np.arange(30) // 3)
    pd.testing.assert_frame_equal(intervals(table, FACTS), intervals(table.sample(frac=1, random_state=1), FACTS))
    assert intervals(table, FACTS, seed=1)["low"][0] != intervals(table, FACTS)["low"][0]


def test_adding_a_method_changes_no_other_row():
    values, images = np.random.default_rng(0).random(30), np.arange(30) // 3
    alone = intervals(long_table(values, images), FACTS)
    both = intervals(pd.concat([long_table(values, images), long_table(values**2, images, method="y")]), FACTS)
    pd.testing.assert_frame_equal(both[both["method"] == "x"], alone)


def test_resamples_hold_as_many_images_and_do_not_depend_on_blocks():
    whole = np.concatenate(list(resamples("a", 7, 50, 0)))
    assert whole.shape == (50, 7) and (whole.sum(axis=1) == 7).all()
    blocks = list(resamples("a", 7, 50, 0, width=1 << 17))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert (np.concatenate(list(resamples("b", 7, 50, 0))) != whole).any()


def split_of(*qualities, info=None, empty=()):
    images = {i: ImageRecord(i, 4, 4, quality=q) for i, q in enumerate(qualities)}
    masks = {i: [] if i in empty else [Annotation(i, i, 1, {})] for i in images}
    return Split(Path("unused"), info or {}, images, masks)


def test_facts_come_from_the_images_that_have_masks():
    assert facts_of(split_of("human", "human", info={"synthetic": True})) == DatasetFacts(True, "human")
    assert facts_of(split_of("human", "model")).quality == "mixed"
    assert facts_of(split_of("human", "model", empty=(1,))).quality == "human"
    assert facts_of(split_of()) == DatasetFacts(False, "unknown")
