"""Failure detection over masks: against plain definitions, and its bootstrap."""

import math

import numpy as np
import pandas as pd
import pytest
from cells import long
from sklearn.metrics import roc_auc_score

from uncertsam.statistics.image_level import METRICS, Ranking, image_level, image_level_intervals, image_level_scores
from uncertsam.statistics.intervals import COLUMNS, DatasetFacts, resamples

FACTS = {"a": DatasetFacts(False, "human")}


def table_of(iou, mean_u, images, method="x"):
    n = len(iou)
    frames = [
        pd.DataFrame(
            {
                "dataset": ["a"] * n,
                "image_id": images,
                "mask_id": range(n),
                "method": [method] * n,
                "metric": [metric] * n,
                "region": ["full"] * n,
                "value": np.asarray(values, float),
            }
        )
        for metric, values in (("iou", iou), ("mean_u", mean_u))
    ]
    return pd.concat(frames, ignore_index=True)


def scores_of(table, **options):
    return image_level_scores(table, **options).set_index("metric")["value"]


def simulated(seed, n=40, masks_per_image=2):
    rng = np.random.default_rng(seed)
    iou = rng.random(n)
    return iou, np.round(1 - iou + rng.normal(0, 0.4, n), 1), np.arange(n) // masks_per_image


def by_definition(iou, mean_u):
    """Ties by their mean risk, which is what random orders give on average."""
    order = np.argsort(mean_u, kind="stable")
    risk = np.array([np.mean((1 - iou)[mean_u == u]) for u in mean_u[order]])
    kept = np.cumsum(risk)
    n = len(iou)
    return {
        "image_auroc": roc_auc_score(iou < 0.5, mean_u),
        "image_aurc": np.mean(kept / np.arange(1, n + 1)),
        "image_augrc": np.trapezoid(np.concatenate([[0], kept])) / n**2,
    }


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_their_definitions(seed):
    iou, mean_u, images = simulated(seed)
    found = scores_of(table_of(iou, mean_u, images))
    assert dict(found) == pytest.approx(by_definition(iou, mean_u))


def test_every_measure_and_aggregation_is_ranked_against_the_iou_of_its_mask():
    iou, mean_u, images = simulated(1)
    own = long(table_of(iou, mean_u, images))
    score = own[own["metric"] == "mean_u"].assign(metric="score_mean", level="mask")
    other = score.assign(measure="max_p", metric="score_mask", value=-score["value"])
    found = image_level(pd.concat([own, score, other])).set_index(["measure", "aggregation"])
    assert list(found.columns[-3:]) == ["image_augrc", "image_aurc", "image_auroc"]  # AUGRC first
    for key, u in {("predictive_entropy", "mean"): mean_u, ("max_p", "mask"): -mean_u}.items():
        assert dict(found.loc[key, list(METRICS)]) == pytest.approx(by_definition(iou, u))
    assert len(found) == 2


def test_a_weight_is_a_repeated_image():
    iou, mean_u, images = simulated(3, n=12)
    weights = next(resamples("a", 6, 4, 0))
    ranking = Ranking.of(pd.DataFrame({"iou": iou, "score": mean_u, "image": images}), 0.5)
    for weight, found in zip(weights, ranking.scores(weights), strict=True):
        masks = np.repeat(np.arange(12), weight[images])
        expected = by_definition(iou[masks], mean_u[masks])
        np.testing.assert_allclose(found, [expected[m] for m in METRICS])


def test_the_threshold_says_what_a_failure_is():
    table = table_of([0.55, 0.65, 0.9], [3, 2, 1], [1, 2, 3])
    assert math.isnan(scores_of(table)["image_auroc"]), "no mask below 0.5"
    assert scores_of(table, failure_iou=0.6)["image_auroc"] == 1


def test_masks_without_a_value_are_left_out_and_counted():
    iou, mean_u, images = simulated(5)
    holes = iou.copy()
    holes[:4] = math.nan
    table = table_of(holes, mean_u, images)
    assert dict(scores_of(table)) == pytest.approx(by_definition(iou[4:], mean_u[4:]))
    row = image_level_intervals(table, FACTS, draws=20).iloc[0]
    assert (row["n_masks"], row["n_nan"], row["n_images"]) == (40, 4, 18)


def test_without_any_value_there_is_no_score():
    table = table_of([math.nan] * 6, [1] * 6, range(6))
    assert scores_of(table).isna().all()
    assert image_level_intervals(table, FACTS, draws=20)["low"].isna().all()


def test_intervals_hold_their_scores_and_have_the_columns_of_the_means():
    table = pd.concat([table_of(*simulated(6), method=m) for m in "xy"])
    found = image_level_intervals(table, FACTS, draws=500)
    assert list(found.columns) == COLUMNS and len(found) == 2 * len(METRICS)
    assert (found["low"] < found["mean_masks"]).all() and (found["mean_masks"] < found["high"]).all()
    assert found["mean_images"].isna().all() and set(found["region"]) == {"full"}
    x, y = (found[found["method"] == m].drop(columns="method").reset_index(drop=True) for m in "xy")
    pd.testing.assert_frame_equal(x, y)


def test_few_images_give_a_score_without_interval():
    row = image_level_intervals(table_of([0.2, 0.9, 0.4], [3, 1, 2], [1, 2, 3]), FACTS, draws=20).iloc[0]
    assert row["note"] == "n too small" and math.isnan(row["low"]) and not math.isnan(row["mean_masks"])
