"""The temperature that was put in is found; the counts tell what the pixels would."""

import numpy as np
import pytest
from promised import logistic

from uncertsam.experiments.guarantees._histograms import PLAIN, Pool, count
from uncertsam.experiments.guarantees._temperature import SCORES, TEMPERATURES, UNSCALED, fitted, on_test, scores
from uncertsam.metrics.calibration import Forecast, brier, expected_calibration_error


@pytest.mark.parametrize("scale", [1.0, 2.0, 0.5])
def test_the_temperature_that_doubled_the_logits_is_found(calibrated, scale):
    pool = calibrated(scale)
    place = fitted(scores(pool)[0], np.ones((1, 12), bool))
    assert TEMPERATURES[place[0]] == pytest.approx(scale, rel=0.05)


def test_one_and_two_are_on_the_grid_exactly():
    assert TEMPERATURES[UNSCALED] == 1 and 2.0 in TEMPERATURES


def test_scaling_mends_what_was_doubled_and_leaves_the_mask(calibrated):
    pool = calibrated(2.0)
    test = np.arange(12)[None] >= 6
    found = scores(pool)
    before = on_test(found, pool.masks_of, test, np.array([UNSCALED]))[:, 0]
    after = on_test(found, pool.masks_of, test, fitted(found[0], ~test))[:, 0]
    assert (after < before).all()
    assert after[SCORES.index("ece")] < 0.03 < before[SCORES.index("ece")]


def test_unscaled_scores_are_those_of_the_pixels():
    logits, truth = logistic(100_000, np.random.default_rng(0))
    pool = Pool(np.array([7]), np.array([0]), count(logits, truth)[None], np.ones(1), np.ones(1))
    forecast = Forecast.of(logits, truth)
    exact = [forecast.surprise.mean(), brier(forecast.residual),
             expected_calibration_error(forecast.probability, forecast.residual)]  # fmt: skip
    np.testing.assert_allclose(scores(pool)[:, 0, UNSCALED], exact, atol=1e-3)


def test_every_pixel_is_counted_once_and_zero_is_an_edge():
    logits = np.array([-1e4, -16, -0.01, 0, 0.01, 15.99, 1e4], np.float32)
    truth = np.array([0, 0, 1, 1, 1, 1, 1], bool)
    counts = count(logits, truth)
    assert counts.sum() == 7 and counts[0, 0] == 2 and counts[1, -1] == 2
    assert counts[1, PLAIN - 1] == 1 and counts[1, PLAIN] == 2
