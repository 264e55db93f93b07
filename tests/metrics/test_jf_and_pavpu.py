"""J&F against distances between boundaries, PAvPU against counting and against SciPy's t-test."""

import math

import numpy as np
import pytest
from scipy import ndimage, stats

from uncertsam.metrics.jf import boundary_accuracy, j_and_f, region_similarity
from uncertsam.metrics.pavpu import THRESHOLDS, chance, drawn_pavpu, patch_pavpu, pavpu, pixel_pavpu


def blob(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width))
    return ndimage.gaussian_filter(noise, 6) > 0.02


def boundary(mask: np.ndarray) -> np.ndarray:
    """By the definition of the DAVIS benchmark: the mask against its shifts; the last row and column are their own."""
    height, width = mask.shape
    found = np.zeros(mask.shape, bool)
    for y in range(height):
        for x in range(width):
            below, right = min(y + 1, height - 1), min(x + 1, width - 1)
            found[y, x] = any(mask[y, x] != mask[other] for other in ((y, right), (below, x), (below, right)))
    return found


def test_f_counts_boundary_pixels_within_a_distance_of_the_other_boundary():
    one, other = blob(0), blob(0) ^ (blob(1) & blob(2))
    ours, theirs = boundary(one), boundary(other)
    radius = math.ceil(0.008 * math.hypot(90, 120))
    near_theirs, near_ours = (ndimage.distance_transform_edt(~b) <= radius for b in (theirs, ours))
    precision, recall = (ours & near_theirs).sum() / ours.sum(), (theirs & near_ours).sum() / theirs.sum()
    assert boundary_accuracy(one, other) == pytest.approx(2 * precision * recall / (precision + recall))
    assert 0.2 < boundary_accuracy(one, other) < 0.99
    assert region_similarity(one, other) == pytest.approx((one & other).sum() / (one | other).sum())


def test_f_forgives_one_pixel_of_a_small_image_and_j_does_not():
    truth = np.zeros((100, 100), bool)
    truth[20:60, 20:60] = True
    moved = np.roll(truth, 1, 1)
    assert boundary_accuracy(moved, truth) == 1 and region_similarity(moved, truth) == pytest.approx(39 / 41)


def test_empty_and_full_masks():
    nothing, everything, some = np.zeros((30, 30), bool), np.ones((30, 30), bool), blob(3, 30, 30)
    assert j_and_f(nothing, nothing) == 1 and j_and_f(everything, everything) == 1
    assert j_and_f(nothing, some) == 0 and boundary_accuracy(some, nothing) == 0
    assert boundary_accuracy(everything, nothing) == 1  # neither has a boundary


def test_pavpu_of_four_pixels_by_hand():
    accurate, uncertain = np.array([True, True, False, False]), np.array([False, True, True, False])
    assert pavpu(accurate, uncertain) == 0.5
    assert pavpu(accurate, ~accurate) == 1 and pavpu(accurate, accurate) == 0
    assert math.isnan(pavpu(accurate[:0], uncertain[:0]))


def test_chance_is_the_mean_over_random_flags():
    rng = np.random.default_rng(0)
    accurate, uncertain = rng.random(400) < 0.8, rng.random(400) < 0.3
    shuffled = [pavpu(accurate, rng.permutation(uncertain)) for _ in range(2000)]
    assert chance(accurate, uncertain) == pytest.approx(np.mean(shuffled), abs=0.003)


def test_pixels_are_uncertain_above_each_threshold():
    u, accurate = np.array([0.005, 0.03, 0.07, 0.5]), np.array([True, True, False, False])
    wanted = np.mean([np.mean((u > t) != accurate) for t in (0.01, 0.05, 0.1)])
    assert THRESHOLDS == (0.01, 0.05, 0.1) and pixel_pavpu(accurate, u)[0] == pytest.approx(wanted)


def test_patches_are_read_within_the_region():
    rng = np.random.default_rng(1)
    accurate, u, inside = rng.random((10, 7)) < 0.6, rng.random((10, 7)) * 0.2, rng.random((10, 7)) < 0.7
    right, doubt = [], []
    for y in range(0, 10, 4):
        for x in range(0, 7, 4):
            patch = (slice(y, y + 4), slice(x, x + 4))
            if inside[patch].any():
                right.append(accurate[patch][inside[patch]].mean() >= 0.5)
                doubt.append(u[patch][inside[patch]].mean())
    wanted = np.mean([pavpu(np.array(right), np.array(doubt) >= t) for t in THRESHOLDS])
    assert patch_pavpu(accurate, u, inside)[0] == pytest.approx(wanted)
    whole = np.ones(u.shape, bool)
    assert patch_pavpu(accurate, u, whole, 1) == pytest.approx(pixel_pavpu(accurate.ravel(), u.ravel()))


def test_draws_are_compared_as_scipy_does():
    rng = np.random.default_rng(2)
    draws, accurate = 1 / (1 + np.exp(-rng.normal(rng.normal(0, 0.5, 200), 0.8, (20, 200)))), rng.random(200) < 0.7
    p_value = stats.ttest_ind(draws, 1 - draws).pvalue
    wanted = np.mean([pavpu(accurate, p_value > t) for t in THRESHOLDS])
    assert drawn_pavpu(accurate, draws)[0] == pytest.approx(wanted)


def test_draws_that_agree_are_certain_but_at_one_half():
    draws = np.tile(np.array([0.9, 0.5]), (20, 1))
    assert drawn_pavpu(np.array([True, False]), draws)[0] == 1
