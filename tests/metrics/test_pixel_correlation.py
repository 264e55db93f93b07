"""Pearson and Spearman against SciPy, and their rules for constants."""

import math

import numpy as np
import pytest
from scipy import stats

from uncertsam.metrics.correlation import pearson, spearman
from uncertsam.metrics.ranking import exact_levels


def rank_correlation(u, e):
    return spearman(exact_levels(u), exact_levels(e))


@pytest.mark.parametrize("seed", range(5))
def test_correlations_equal_scipy_with_ties(seed):
    rng = np.random.default_rng(seed)
    u = rng.integers(0, 20, 300).astype(np.float32)
    e = (u / 40 + rng.random(300)).astype(np.float32)
    assert pearson(u, e) == pytest.approx(stats.pearsonr(u.astype(float), e.astype(float)).statistic, abs=1e-12)
    assert rank_correlation(u, e) == pytest.approx(stats.spearmanr(u, e).statistic, abs=1e-12)


def test_a_faint_signal_on_a_large_offset_survives_float32():
    e = np.linspace(0, 1, 1000, dtype=np.float32)
    u = (1000 + e).astype(np.float32)
    expected = stats.pearsonr(u.astype(float), e.astype(float)).statistic
    assert pearson(u, e) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -5.0, 1e-30])
def test_constant_uncertainty_has_correlation_exactly_zero(value):
    u, e = np.full(999, value, np.float32), np.linspace(0, 1, 999, dtype=np.float32)
    assert pearson(u, e) == 0.0 and rank_correlation(u, e) == 0.0


def test_constant_error_has_no_correlation():
    u, e = np.linspace(0, 1, 999, dtype=np.float32), np.full(999, 0.1, np.float32)
    assert math.isnan(pearson(u, e)) and math.isnan(rank_correlation(u, e))
    assert math.isnan(pearson(e, e)) and math.isnan(rank_correlation(e, e))
