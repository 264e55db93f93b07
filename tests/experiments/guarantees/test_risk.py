"""Conformal risk control keeps its promise where images are exchangeable, and nowhere else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncertsam.base.errors import UserError
from uncertsam.experiments.guarantees._histograms import EDGES
from uncertsam.experiments.guarantees._splits import halves
from uncertsam.experiments.guarantees.risk import bound, calibrated, on_test, threshold


def losses(rng, images, hardness):
    """Images that miss min(1, hardness * E * t) at thresholds t in [0, 1], with E exponential: the risk is known."""
    slope = hardness * rng.exponential(1, images)
    return np.minimum(1, slope[:, None] * np.linspace(0, 1, 101))


def mean_loss(rng, n, alpha, here, there, draws=400):
    """The mean test loss over draws: n images of hardness `here` calibrate, 50 of hardness `there` test."""
    found = []
    for _ in range(draws):
        both = np.concatenate([losses(rng, n, here), losses(rng, 50, there)])
        calibrate = np.arange(n + 50)[None] < n
        found.append(on_test(both, ~calibrate, calibrated(both, calibrate, alpha))[0])
    return np.mean(found)


@pytest.mark.parametrize("n", [9, 20, 60])
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_the_mean_loss_over_draws_stays_below_its_bound(n, alpha):
    found = mean_loss(np.random.default_rng(n), n, alpha, 1.0, 1.0)
    assert found <= bound(n, alpha)
    assert found <= alpha + 0.01  # the theorem itself, but for the noise of 400 draws


def test_the_promise_is_broken_under_a_shift():
    rng = np.random.default_rng(0)
    assert mean_loss(rng, 60, 0.1, 1.0, 6.0) > bound(60, 0.1) + 0.1


@pytest.mark.parametrize("n", [1, 3, 8])
def test_too_few_images_promise_nothing_but_the_whole_image(n):
    """1 / (n + 1) > alpha leaves no threshold, however well the images went."""
    rng = np.random.default_rng(1)
    both = np.pad(losses(rng, n + 5, 0.01)[:, 1:], ((0, 0), (1, 0)))
    calibrate = np.arange(n + 5)[None] < n
    place = calibrated(both, calibrate, 0.1)
    assert place[0] == 0 and on_test(both, ~calibrate, place)[0] == 0


@given(st.integers(1, 40), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_the_threshold_is_the_largest_admitted_one(n, alpha, seed):
    risk = np.sort(np.random.default_rng(seed).uniform(0, 1, (3, 30)), axis=1)
    risk[:, 0] = 0
    for row, place in zip(risk, threshold(risk, n, alpha), strict=True):
        admitted = [j for j in range(30) if n / (n + 1) * row[j] + 1 / (n + 1) <= alpha]
        assert place == max(admitted, default=0)


def test_a_mask_misses_less_the_lower_its_threshold_and_grows(calibrated):
    pool = calibrated()
    missed, areas = pool.missed(), pool.areas()
    assert missed.shape == areas.shape == (len(pool.owner), len(EDGES))
    assert (np.diff(missed) >= 0).all() and (np.diff(areas) <= 0).all()
    assert (missed[:, 0] == 0).all() and (missed[:, -1] == 1).all()
    assert (areas[:, 0] == 4000).all() and (areas[:, -1] == 0).all()


def test_splits_are_the_same_for_all_methods_and_hold_every_image_about_equally_often():
    images = np.arange(10)
    found = halves("reef", images, 0.5, 2000, 0)
    assert (found == halves("reef", images, 0.5, 2000, 0)).all() and (found.sum(axis=1) == 5).all()
    assert np.abs(found.mean(axis=0) - 0.5).max() < 0.05
    assert (found != halves("shoal", images, 0.5, 2000, 0)).any()


@pytest.mark.parametrize(("share", "n"), [(0.01, 1), (0.99, 2), (0.5, 1)])
def test_neither_side_is_ever_empty(share, n):
    assert (halves("reef", np.arange(3), share, 20, 0).sum(axis=1) == n).all()


def test_one_image_cannot_be_split():
    with pytest.raises(UserError, match=r"reef has 1 image.*guarantees\.datasets"):
        halves("reef", np.arange(1), 0.5, 10, 0)
