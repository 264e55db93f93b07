"""Small statistics against SciPy, hand-worked examples, and what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from uncertsam.statistics._significance import detectable, holm, signed_rank, smallest_p

REALS = arrays(float, st.integers(1, 12), elements=st.floats(-1, 1).map(lambda v: round(v, 3)), unique=True)
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=9)


def test_holm_is_the_worked_example() -> None:
    """Four tests: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.04 x 1, where the last two may not fall below 0.06."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.4]) == pytest.approx([0.8, 0.8]) and holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_nan_is_no_test_and_does_not_make_the_others_dearer() -> None:
    corrected = holm([0.01, math.nan, 0.02])
    assert corrected[::2] == pytest.approx([0.02, 0.02]) and math.isnan(corrected[1])


@given(SHARES)
def test_holm_keeps_the_order_lies_between_p_and_bonferroni_and_is_at_most_one(p: list[float]) -> None:
    corrected = holm(p)
    for value, adjusted in zip(p, corrected, strict=True):
        assert value <= adjusted <= min(1.0, value * len(p)) or adjusted == max(corrected)
        assert adjusted <= 1.0
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


@given(REALS)
def test_the_signed_rank_test_is_scipys_on_what_is_not_zero(differences: np.ndarray) -> None:
    moved = differences[differences != 0]
    found = signed_rank(differences)
    if not moved.size:
        assert math.isnan(found.p) and math.isnan(found.effect)
        return
    assert found.p == stats.wilcoxon(moved).pvalue
    ranks = stats.rankdata(np.abs(moved))
    against = ranks[moved < 0].sum()
    assert found.effect == pytest.approx(1 - 2 * against / ranks.sum())


def test_differences_of_one_sign_have_effect_one_and_the_smallest_p_there_is() -> None:
    for n in range(1, 10):
        found = signed_rank(np.arange(1.0, n + 1))
        assert found.effect == 1 and found.p == pytest.approx(smallest_p(n))
        assert signed_rank(-np.arange(1.0, n + 1)).effect == -1


def test_eight_datasets_cannot_show_anything_for_seven_methods() -> None:
    assert smallest_p(8) * 7 > 0.05 > smallest_p(8) * 6


def test_the_detectable_difference_is_found_with_the_stated_power() -> None:
    """Simulated: estimates with error 1 around it leave 0 in 80 of 100 cases, by a test at 5 %."""
    (true,) = detectable(np.array([1.0]), 0.05)
    assert true == pytest.approx(2.80, abs=0.01)
    estimates = np.random.default_rng(0).normal(true, 1, 200_000)
    assert (np.abs(estimates) > stats.norm.ppf(0.975)).mean() == pytest.approx(0.8, abs=0.005)
