"""Pearson and Spearman against SciPy, and their rules for constants."""

import math

import numpy as np
import pytest
from scipy import stats

from uncertsam.metrics._correlation import pearson, spearman
from uncertsam.metrics.ranking import exact_levels


def rank_correlation(u, e):
    return spearman(exact_levels(u), exact_levels(e))


def test_a_faint_signal_on_a_large_offset_survives_float32():
    e = np.linspace(0, 1, 1000, dtype=np.float32)
    u = (1000 + e).astype(np.float32)
    expected = stats.pearsonr(u.astype(float), e.astype(float)).statistic
    assert pearson(u, e) == pytest.approx(expected, abs=1e-12)


def test_constant_error_has_no_correlation():
    u, e = np.linspace(0, 1, 999, dtype=np.float32), np.full(999, 0.1, np.float32)
    assert math.isnan(pearson(u, e)) and math.isnan(rank_correlation(u, e))
    assert math.isnan(pearson(e, e)) and math.isnan(rank_correlation(e, e))
