"""Whatever maps a method gives: metrics exist by rule, stay in their ranges, and do not care which way is up."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from uncertsam.metrics.masks import METRICS, OVERLAPS, PIXEL_METRICS, measure_mask
from uncertsam.metrics.region import REGIONS, TruthSide

Maps = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
FEW = [-80.0, -3.5, -0.0, 0.0, 1e-30, 0.25, 3.5, 80.0]
TOP = {"augrc": 0.5, "nll": -math.log(1e-7) * (1 + 1e-6)}
BOTTOM = {"pearson": -1, "spearman": -1}


@st.composite
def maps(draw: st.DrawFn) -> Maps:
    """Truth, void, logits, uncertainty: of any shape and float type, often with ties, now and then all constant."""
    shape, kind = (draw(st.integers(1, 16)), draw(st.integers(1, 16))), draw(st.sampled_from([np.float32, np.float64]))
    most = float(np.finfo(np.float32).max) / 4
    numbers = st.one_of(st.sampled_from(FEW), st.floats(-most, most, width=32))
    flags = (draw(arrays.arrays(bool, shape, fill=st.booleans())) for _ in range(2))
    values = [draw(arrays.arrays(kind, shape, elements=numbers, fill=numbers)) for _ in range(2)]
    constant = draw(st.integers(0, 3)) == 0
    return *flags, values[0], np.full_like(values[1], values[1].flat[0]) if constant else values[1]


def measured(truth: np.ndarray, void: np.ndarray, logits: np.ndarray, uncertainty: np.ndarray) -> dict:
    return measure_mask(TruthSide.of(truth, void), logits, uncertainty)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(maps())
def test_a_metric_is_missing_by_rule_and_else_in_its_range(drawn: Maps) -> None:
    truth, void, logits, uncertainty = drawn
    found = measured(*drawn)
    assert set(found) == {(metric, region) for metric in METRICS for region in REGIONS}
    for (metric, region), value in found.items():
        if metric != "mean_u":
            assert math.isnan(value) or BOTTOM.get(metric, 0) <= value <= TOP.get(metric, 1), (metric, region, value)
    for region, inside in TruthSide.of(truth, void).inside.items():
        missing = {metric for metric in METRICS if math.isnan(found[metric, region])}
        if not inside.any():
            assert missing == set(METRICS)
            continue
        predicted, t, u = (logits > 0)[inside], truth[inside], uncertainty[inside]
        wrong = predicted != t
        assert ("auroc" in missing) == (wrong.all() or not wrong.any())
        assert ("iou" in missing) == ("dice" in missing) == (not (predicted | t).any())
        assert missing & set(PIXEL_METRICS) <= {"pearson", "spearman", "auroc"}
        if (u == u[0]).all():
            assert all(found[m, region] == 0 for m in ("pearson", "spearman") if m not in missing)
            assert found["auroc", region] == 0.5 or "auroc" in missing
            assert found["mean_u", region] == pytest.approx(u[0], rel=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(maps(), st.sampled_from([np.flipud, np.fliplr, np.transpose, np.rot90]))
def test_metrics_do_not_care_which_way_is_up(drawn: Maps, turn) -> None:
    turned = measured(*(np.ascontiguousarray(turn(part)) for part in drawn))
    for key, value in measured(*drawn).items():
        assert turned[key] == pytest.approx(value, rel=1e-6, abs=1e-6, nan_ok=True), key


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(maps())
def test_overlaps_are_symmetric(drawn: Maps) -> None:
    """Mask and truth may change places on the full image; the other region is drawn around the truth."""
    truth, void, logits, uncertainty = drawn
    swapped = measured(logits > 0, void, np.where(truth, 1, -1).astype(logits.dtype), uncertainty)
    for metric in (*OVERLAPS, "error_rate"):
        assert swapped[metric, "full"] == pytest.approx(measured(*drawn)[metric, "full"], abs=0, nan_ok=True), metric
