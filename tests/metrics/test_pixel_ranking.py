"""AURC, AUGRC and AUROC against their definitions, over all orders of ties; the two kinds of levels."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from uncertsam.metrics._correlation import spearman
from uncertsam.metrics.ranking import augrc, aurc, auroc, bit_levels, exact_levels, histogram, levels_of

RISKS = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=6)
ERRORS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40)
few = settings(max_examples=60, deadline=None)


def ranked(scores, risks):
    return histogram(exact_levels(np.asarray(scores, float)), np.asarray(risks, float))


def orders_within_ties(scores):
    """Every order that sorts the scores."""
    ties = [np.flatnonzero(scores == s) for s in np.unique(scores)]
    for parts in itertools.product(*(itertools.permutations(t) for t in ties)):
        yield list(itertools.chain(*parts))


def mean_selective_risk(risks):
    return np.mean([np.mean(risks[:k]) for k in range(1, len(risks) + 1)])


def area_of_kept_risk(risks):
    """Trapezoids over coverage k/n of (sum of the k first risks) / n, from coverage 0."""
    return np.trapezoid(np.concatenate([[0], np.cumsum(risks)]) / len(risks), dx=1 / len(risks))


@few
@given(RISKS)
def test_aurc_is_its_mean_over_all_orders_of_ties(items):
    scores, risks = (np.array(c, float) for c in zip(*items, strict=True))
    expected = np.mean([mean_selective_risk(risks[o]) for o in orders_within_ties(scores)])
    assert aurc(*ranked(scores, risks)) == pytest.approx(expected, abs=1e-12)


@few
@given(RISKS)
def test_augrc_is_its_mean_over_all_orders_of_ties(items):
    scores, risks = (np.array(c, float) for c in zip(*items, strict=True))
    expected = np.mean([area_of_kept_risk(risks[o]) for o in orders_within_ties(scores)])
    assert augrc(*ranked(scores, risks)) == pytest.approx(expected, abs=1e-12)


@few
@given(ERRORS)
def test_auroc_equals_sklearn_and_is_nan_for_one_kind(items):
    scores, wrong = (np.array(c) for c in zip(*items, strict=True))
    found = auroc(*ranked(scores, wrong))
    if wrong.all() or not wrong.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(wrong, scores), abs=1e-12)


@few
@given(ERRORS)
def test_augrc_follows_from_auroc_and_error_rate(items):
    """The identity of Traub et al. for the 0/1 risk."""
    scores, wrong = (np.array(c) for c in zip(*items, strict=True))
    groups, e = ranked(scores, wrong), wrong.mean()
    separation = 0.0 if e in (0, 1) else (1 - auroc(*groups)) * e * (1 - e)
    assert augrc(*groups) == pytest.approx(separation + e**2 / 2, abs=1e-12)


def test_repeats_along_the_first_axis_are_separate_rankings():
    counts, risks = np.array([[1, 2, 0], [3, 0, 4]]), np.array([[0.5, 1.0, 0.0], [1.5, 0.0, 4.0]])
    for measure in (aurc, augrc, auroc):
        one_by_one = [measure(c[c > 0], r[c > 0]) for c, r in zip(counts, risks, strict=True)]
        np.testing.assert_allclose(measure(counts, risks), one_by_one, rtol=1e-14)


def uncertainties(rng, n):
    """Maps as methods make them: (name, uncertainty)."""
    logits = rng.normal(0, 6, n)
    p = np.clip(1 / (1 + np.exp(-logits)), 1e-7, 1 - 1e-7)
    entropy = -p * np.log(p) - (1 - p) * np.log1p(-p)
    yield "entropy", entropy
    yield "below 1e-6", entropy * 1e-6
    yield "log-variance, clamped", np.clip(rng.normal(-1, 3, n), -5, 5)
    yield "one outlier", np.append(rng.normal(0, 1e-3, n - 1), 1e6)
    yield "crowded at the top", np.append(0.0, np.log(2) - rng.exponential(1e-5, n - 1))
    yield "ties", rng.integers(0, 5, n)
    yield "constant", np.full(n, 0.3)


@pytest.mark.parametrize("case", range(7))
def test_bits_are_within_1e_5_of_the_sort_however_rare_failures_are(case):
    rng = np.random.default_rng(case)
    n = 150_000
    u = list(uncertainties(rng, n))[case][1].astype(np.float32)
    sort, bits = (levels_of(u, ranks) for ranks in ("exact", "bits"))
    error = (sort / n + rng.normal(0, 0.3, n)).astype(np.float32)
    for failures in (1, 3, 100, 4000, 30_000, n - 7):
        wrong = np.zeros(n, bool)
        wrong[np.argsort(-error)[:failures]] = True
        for measure in (aurc, augrc, auroc):
            assert measure(*histogram(bits, wrong)) == pytest.approx(measure(*histogram(sort, wrong)), abs=1e-5)
    expected = spearman(sort, exact_levels(error))
    assert spearman(bits, bit_levels(error)) == pytest.approx(expected, abs=1e-5)


@few
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
def test_bit_levels_never_swap_or_split_equal_values(values):
    values = np.sort(np.array(values, np.float32))
    steps = np.diff(bit_levels(values))
    assert (steps >= 0).all() and (steps[np.diff(values) == 0] == 0).all()


def test_bit_levels_stay_few_however_many_the_values():
    u = np.random.default_rng(0).normal(size=400_000).astype(np.float32)
    assert exact_levels(u).max() > 300_000 > bit_levels(u).max()
