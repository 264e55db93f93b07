"""What is kept when the least certain masks are set aside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncertsam.experiments.guarantees._abstention import area, coverage_at, kept


def test_an_uncertainty_that_is_the_error_keeps_the_best_masks_first():
    iou = np.array([0.9, 0.1, 0.5, 0.7])
    coverage, mean = kept(1 - iou, iou)
    np.testing.assert_allclose(coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(mean, [0.9, 0.8, 0.7, 0.55])
    assert coverage_at(coverage, mean, 0.7) == 0.75 and coverage_at(coverage, mean, 0.95) == 0
    assert area(1 - iou, iou) < area(iou, iou)


def test_equal_uncertainties_are_kept_together():
    coverage, mean = kept(np.ones(3), np.array([1.0, 0.0, 0.5]))
    assert coverage.tolist() == [1.0] and mean.tolist() == [0.5]


@given(st.integers(1, 30), st.integers(0, 1000), st.floats(0.05, 0.95))
def test_the_coverage_is_the_largest_that_reaches_the_level(n, seed, level):
    rng = np.random.default_rng(seed)
    unsure, iou = rng.random(n), rng.random(n)
    ranked = iou[np.argsort(unsure)]
    reached = [k / n for k in range(1, n + 1) if ranked[:k].mean() >= level]
    assert coverage_at(*kept(unsure, iou), level) == pytest.approx(max(reached, default=0))
