"""The area of a decision is what replacing cases one by one gives, averaged over every order within ties."""

import math
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncertsam.metrics.decision import Decision, implied_end
from uncertsam.statistics.decisions import relative_auc


def decision(start, end, cluster=None) -> Decision:
    places = range(len(start)) if cluster is None else cluster
    return Decision(np.array(start, float), np.array(end, float), np.array(places, int))


def replaced_one_by_one(start, end, order) -> float:
    iou, curve = np.array(start, float), [np.mean(start)]
    for case in order:
        iou[case] = end[case]
        curve.append(iou.mean())
    return float(np.trapezoid(curve, dx=1 / len(start)))


def brute_force(start, end, score) -> float:
    """The mean over all orders that go from high scores to low ones."""
    orders = [o for o in permutations(range(len(score))) if all(score[a] >= score[b] for a, b in pairwise(o))]
    return float(np.mean([replaced_one_by_one(start, end, order) for order in orders]))


CASES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2)), min_size=1, max_size=5)


@given(CASES)
def test_the_area_is_the_mean_over_all_orders_within_ties(cases):
    start, end, score = map(list, zip(*cases, strict=True))
    found = decision(start, end).auc(np.array(score, float))[0]
    assert found == pytest.approx(brute_force(start, end, score), abs=1e-12)


@given(CASES)
def test_oracle_and_worst_are_the_extreme_orders_and_sum_to_start_plus_end(cases):
    start, end, _ = map(list, zip(*cases, strict=True))
    judged = decision(start, end)
    oracle, worst = judged.auc(judged.gain)[0], judged.auc(-judged.gain)[0]
    areas = [replaced_one_by_one(start, end, order) for order in permutations(range(len(start)))]
    assert (oracle, worst) == pytest.approx((max(areas), min(areas)), abs=1e-12)
    assert implied_end(oracle, worst, float(np.mean(start))) == pytest.approx(np.mean(end), abs=1e-12)


def test_a_hand_made_case():
    """Two cases, of which the second gains: 0.5, 0.75, 0.75 by the right order, 0.5, 0.5, 0.75 by the wrong one."""
    judged = decision([0.5, 0.5], [0.5, 1.0])
    assert judged.auc(np.array([0.0, 1.0])) == pytest.approx(0.6875)
    assert judged.auc(np.array([1.0, 0.0])) == pytest.approx(0.5625)
    assert judged.relative(np.array([0.0, 1.0])) == 1 and judged.relative(np.array([1.0, 0.0])) == 0


def test_a_score_that_says_nothing_is_worth_one_half():
    judged = decision(np.linspace(0, 0.5, 7), np.linspace(0.9, 0.6, 7))
    assert judged.relative(np.zeros(7)) == pytest.approx(0.5)


def test_only_the_order_of_a_score_matters_and_not_that_of_the_cases():
    rng = np.random.default_rng(0)
    start, end, score = rng.random((3, 40))
    shuffled, judged = rng.permutation(40), decision(start, end)
    assert judged.relative(np.exp(5 * score)) == pytest.approx(judged.relative(score))
    assert decision(start[shuffled], end[shuffled]).auc(score[shuffled]) == pytest.approx(judged.auc(score))


def test_a_weight_counts_a_cluster_as_often_as_copies_of_it():
    rng = np.random.default_rng(1)
    start, end, score = rng.random((3, 6))
    cluster, weights = np.array([0, 0, 1, 1, 2, 2]), np.array([[2, 0, 1]])
    copies = np.array([0, 1, 0, 1, 4, 5])
    repeated = decision(start[copies], end[copies])
    judged = decision(start, end, cluster)
    assert judged.auc(score, weights) == pytest.approx(repeated.auc(score[copies]))
    assert judged.relative(score, weights) == pytest.approx(repeated.relative(score[copies]))


def test_equal_gains_have_no_relative_area():
    assert np.isnan(decision([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]).relative(np.arange(3.0))).all()


@pytest.mark.parametrize(
    ("oracle", "worst", "start", "end"),
    [(94.621, 83.036, 100.0, 77.66), (96.291, 86.336, 100.0, 82.63), (82.518, 77.778, 77.657, 82.63)],
)
def test_published_areas_imply_the_published_mean_ious(oracle, worst, start, end):
    """USAM Tables 14 (Tiny and Large, DAVIS; the truth has IoU 100 %) and 11."""
    assert implied_end(oracle, worst, start) == pytest.approx(end, abs=0.013)


def test_intervals_resample_clusters_and_differences_are_paired():
    rng = np.random.default_rng(2)
    start, end = rng.random((2, 60))
    one = decision(start, np.maximum(start, end), np.arange(60) // 2)
    twice = Decision(one.start.repeat(3), one.end.repeat(3), one.cluster.repeat(3))
    good = one.gain + rng.normal(0, 0.1, 60)
    found = relative_auc(one, good, "reef", 200, 0)
    assert found["lo"] < found["rel_auc"] < found["hi"] and found["n"] == 60
    again = relative_auc(twice, good.repeat(3), "reef", 200, 0)
    assert [again[k] for k in ("rel_auc", "lo", "hi")] == pytest.approx([found[k] for k in ("rel_auc", "lo", "hi")])
    same = relative_auc(one, good, "reef", 200, 0, against=good)
    assert same["rel_auc"] == same["lo"] == same["hi"] == 0


def test_few_clusters_have_no_interval():
    found = relative_auc(decision([0, 0.5], [1, 0.6], [0, 0]), np.array([1.0, 0.0]), "reef", 50, 0)
    assert found["rel_auc"] == 1 and math.isnan(found["lo"]) and math.isnan(found["hi"])


def test_numbers_that_have_no_order_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        decision([0.1, 0.2], [0.3, 0.4]).auc(np.array([0.1, np.nan]))
    with pytest.raises(ValueError, match="finite"):
        decision([0.1, np.nan], [0.3, 0.4])
    with pytest.raises(ValueError, match="needs cases"):
        decision([], [])
