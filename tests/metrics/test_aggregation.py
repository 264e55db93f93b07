"""One number per mask: what each way of aggregating counts, on maps that can be counted by hand."""

import math

import numpy as np
import pytest

from uncertsam.metrics.aggregation import AGGREGATIONS, Doubt, Places, baseline_scores, scores
from uncertsam.metrics.ranking import levels_of
from uncertsam.metrics.region import TruthSide

SIZE = (100, 100)
SQUARE = np.zeros(SIZE, bool)
SQUARE[40:60, 40:60] = True
VOID = np.zeros(SIZE, bool)
VOID[:10] = True


def scored(doubt: np.ndarray, predicted: np.ndarray, void: np.ndarray | None = None) -> dict[str, float]:
    side = TruthSide.of(SQUARE, np.zeros(SIZE, bool) if void is None else void)
    u = doubt.ravel()[side.order].astype(np.float32)
    levels = levels_of(u, "bits", levels=64)
    found = scores(Doubt(u, levels, np.bincount(levels)), Places.of(side, predicted))
    return {name.removeprefix("score_"): value for name, value in found.items()}


def test_each_aggregation_sees_its_own_pixels() -> None:
    """Doubt 1 in the mask and nowhere else: 400 of 10,000 pixels; the band is a pixel wide on either side."""
    found = scored(SQUARE.astype(float), SQUARE)
    assert found["mean"] == pytest.approx(0.04) and found["mask"] == 1.0 and found["quantile"] == 0.0
    assert found["boundary"] == pytest.approx(76 / (76 + 84))  # the square's own ring, and the one around it
    assert found["volume"] == pytest.approx(1.0)
    assert scored(np.where(SQUARE, 0.0, 0.5), SQUARE)["volume"] == pytest.approx(0.5 * 9600 / 400)


def test_of_a_constant_every_mean_and_quantile_is_that_constant() -> None:
    found = scored(np.full(SIZE, 0.3), SQUARE)
    assert all(found[name] == pytest.approx(0.3) for name in set(AGGREGATIONS) - {"volume"})


def test_where_no_mask_is_predicted_the_image_stands_for_it() -> None:
    found = scored(np.random.default_rng(0).random(SIZE), np.zeros(SIZE, bool))
    assert found["mask"] == found["boundary"] == found["mean"] == pytest.approx(found["volume"])


def test_void_pixels_count_nowhere_and_an_image_of_them_has_no_score() -> None:
    doubt = np.where(VOID, 1000.0, 0.1)
    assert scored(doubt, np.ones(SIZE, bool), VOID)["mean"] == pytest.approx(0.1)
    assert all(math.isnan(value) for value in scored(doubt, SQUARE, np.ones(SIZE, bool)).values())


def test_the_quantile_is_numpys() -> None:
    doubt = np.random.default_rng(1).normal(size=SIZE).astype(np.float32)
    assert scored(doubt, SQUARE)["quantile"] == np.quantile(doubt, 0.95, method="nearest")


def test_the_models_own_scores_grow_with_doubt() -> None:
    side = TruthSide.of(SQUARE, np.zeros(SIZE, bool))
    shaky = np.where(SQUARE, 0.5, -5.0)
    shaky[50:60, 40:60] = 5.0  # half of the mask is above 1, all of it above -1
    assert baseline_scores(side, shaky, 0.9) == pytest.approx({"score_iou_head": 0.1, "score_stability": 0.5})
    assert baseline_scores(side, np.full(SIZE, -9.0), 1.0) == {"score_iou_head": 0.0, "score_stability": 0.0}
