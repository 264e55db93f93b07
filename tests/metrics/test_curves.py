"""The curves agree with the metrics that they illustrate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uncertsam.metrics.calibration import Forecast, expected_calibration_error
from uncertsam.metrics.curves import KINDS, PARTS, Curves, curve_table
from uncertsam.metrics.ranking import aurc, exact_levels, histogram, risk_coverage

pixels = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=150)
some = settings(max_examples=40, deadline=None)
forecasts = st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=60)


def ranked(case):
    scores, wrong = map(np.array, zip(*case, strict=True))
    return histogram(exact_levels(scores), wrong)


def curves_of(case):
    logits, truth = map(np.array, zip(*case, strict=True))
    forecast = Forecast.of(logits.astype(np.float32), truth.astype(bool))
    return forecast, Curves.of(forecast, *histogram(exact_levels(-np.abs(logits)), forecast.wrong))


@some
@given(pixels, st.integers(1, 60))
def test_the_mean_of_the_drawn_risks_is_the_aurc(case, parts):
    assert risk_coverage(*ranked(case), parts).mean() == pytest.approx(aurc(*ranked(case)), abs=1e-9)


@some
@given(pixels)
def test_with_a_part_per_pixel_the_curve_is_the_mean_risk_over_all_orders_within_ties(case):
    scores, wrong = map(np.array, zip(*case, strict=True))
    expected = np.zeros(len(case))
    for score in range(10):  # a pixel of a tie brings, on average, the tie's share of wrong pixels
        expected[scores == score] = wrong[scores == score].mean() if (scores == score).any() else 0
    expected = np.cumsum(expected[np.argsort(scores, kind="stable")]) / np.arange(1, len(case) + 1)
    np.testing.assert_allclose(risk_coverage(*ranked(case), len(case)), expected, atol=1e-9)


@some
@given(pixels)
def test_no_order_of_the_pixels_leaves_less_risk_than_the_oracle(case):
    wrong = np.array([w for _, w in case])
    oracle = risk_coverage(*histogram(exact_levels(wrong), wrong), len(case))
    assert (oracle <= risk_coverage(*ranked(case), len(case)) + 1e-9).all()


def test_a_constant_uncertainty_has_the_error_rate_at_every_coverage():
    assert risk_coverage(np.array([8]), np.array([2.0]), PARTS) == pytest.approx(np.full(PARTS, 0.25))


@some
@given(forecasts)
def test_the_gaps_of_one_masks_reliability_diagram_add_up_to_its_calibration_error(case):
    forecast, curves = curves_of(case)
    _, probability, truth = curves.reliability
    assert np.abs(probability - truth).sum() == pytest.approx(
        expected_calibration_error(forecast.probability, forecast.residual), abs=1e-5
    )


def test_over_masks_weights_add_up_to_one_and_points_stay_in_their_bins():
    rng = np.random.default_rng(0)
    cases = [list(zip(rng.normal(0, 3, n), rng.random(n) < 0.4, strict=True)) for n in (1, 7, 90)]
    table = curve_table("d", "m", [curves_of(case)[1] for case in cases])
    assert table.groupby("kind")["weight"].sum().to_numpy() == pytest.approx(np.ones(len(KINDS)), abs=1e-6)
    bins = table[(table["kind"] == "reliability") & (table["weight"] > 0)]
    assert (bins["x"] * 10 >= bins["part"] - 1e-4).all() and (bins["x"] * 10 <= bins["part"] + 1 + 1e-4).all()
    assert bins["y"].between(0, 1 + 1e-6).all()


def test_every_mask_counts_the_same_whatever_its_size():
    small, large = curves_of([(5.0, True)]), curves_of([(5.0, False)] * 99)
    table = curve_table("d", "m", [small[1], large[1]])
    assert table[(table["kind"] == "reliability") & (table["weight"] > 0)]["y"].tolist() == [0.5]


def test_without_masks_there_are_no_rows():
    assert curve_table("d", "m", []).empty
