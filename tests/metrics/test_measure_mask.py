"""All metrics of one mask: against a plain float64 reading of the definitions, and their symmetries and bounds."""

import math

import numpy as np
import pytest
from scipy import ndimage, stats
from sklearn.metrics import roc_auc_score

from uncertsam.metrics.masks import METRICS, OVERLAPS, PIXEL_METRICS, measure_mask
from uncertsam.metrics.region import REGIONS, TruthSide
from uncertsam.models.layout import Layout

RANKED = ("spearman", "aurc", "augrc", "auroc")


def blob(rng, shape, scale=3.0):
    return ndimage.gaussian_filter(rng.normal(size=shape), scale, mode="nearest") * scale * 2


def scene(seed, shape=(41, 57)):
    """Truth, void, logits and uncertainty of one plausible mask."""
    rng = np.random.default_rng(seed)
    base = blob(rng, shape)
    truth, ignore = base > 0, blob(rng, shape) > 1.5
    logits = (4 * base + 2 * blob(rng, shape)).astype(np.float32)
    uncertainty = np.round(np.exp(-np.abs(logits)) + 0.1 * rng.random(shape), 2).astype(np.float32)
    return truth, ignore, logits, uncertainty


def measured(truth, ignore, logits, uncertainty, **options):
    return measure_mask(TruthSide.of(truth, ignore), logits, uncertainty, **options)


def by_definition(truth, logits, uncertainty, inside):
    """The pixel metrics in float64, one line each, ties of AURC left to the mean over their orders."""
    m, z, u = truth[inside].astype(float), logits[inside].astype(float), uncertainty[inside].astype(float)
    p = 1 / (1 + np.exp(-z))
    error, wrong, held = np.abs(m - p), (z > 0) != (m > 0), np.clip(p, 1e-7, 1 - 1e-7)
    bins = np.minimum(np.floor(p.astype(np.float32) * 10), 10)
    order = np.argsort(u, kind="stable")
    per_level = {v: wrong[u == v].mean() for v in np.unique(u)}
    expected_risk = np.cumsum([per_level[v] for v in u[order]])
    places = np.arange(1, u.size + 1)
    return {
        "pearson": stats.pearsonr(u, error).statistic,
        "spearman": stats.spearmanr(u, error).statistic,
        "brier": np.mean((p - m) ** 2),
        "nll": -np.mean(m * np.log(held) + (1 - m) * np.log(1 - held)),
        "ece": sum(abs(np.sum((p - m)[bins == b])) for b in range(11)) / u.size,
        "aurc": np.mean(expected_risk / places),
        "augrc": np.trapezoid(np.concatenate([[0], expected_risk]), dx=1) / u.size**2,
        "auroc": roc_auc_score(wrong, u),
        "mean_u": u.mean(),
        "error_rate": wrong.mean(),
    }


@pytest.mark.parametrize("seed", range(4))
def test_pixel_metrics_equal_their_definitions(seed):
    truth, ignore, logits, uncertainty = scene(seed)
    found = measured(truth, ignore, logits, uncertainty, ranks="exact")
    for region, inside in TruthSide.of(truth, ignore).inside.items():
        expected = by_definition(truth, logits, uncertainty, inside)
        assert expected.keys() == set(PIXEL_METRICS)
        for metric, value in expected.items():
            assert found[metric, region] == pytest.approx(value, abs=5e-7), (metric, region)


def eroded(mask, depth):
    return ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=depth, border_value=0)


@pytest.mark.parametrize("seed", range(4))
def test_overlaps_equal_their_definitions(seed):
    truth, ignore, logits, uncertainty = scene(seed, shape=(80, 60))
    found, predicted = measured(truth, ignore, logits, uncertainty), logits > 0
    for region, inside in TruthSide.of(truth, ignore).inside.items():
        pairs = {"iou": (predicted, truth)}
        for name, depth in (("boundary_iou_0.02", 2), ("boundary_iou_0.01", 1)):  # of a diagonal of 100
            pairs[name] = (predicted & ~eroded(predicted, depth), truth & ~eroded(truth, depth))
        for name, (a, b) in pairs.items():
            assert found[name, region] == np.sum(a & b & inside) / np.sum((a | b) & inside)
        iou = found["iou", region]
        assert found["dice", region] == pytest.approx(2 * iou / (1 + iou))


def test_the_names_are_the_contract():
    assert OVERLAPS == ("iou", "boundary_iou_0.02", "boundary_iou_0.01", "dice")
    assert set(measured(*scene(0))) == {(m, r) for m in METRICS for r in REGIONS}
    assert len(METRICS) == len(set(METRICS)) == 14 and REGIONS == ("full", "roi")


def test_what_void_pixels_hold_does_not_matter():
    truth, ignore, logits, uncertainty = scene(6)
    other_logits, other_uncertainty = (np.where(ignore, np.float32(50), m) for m in (logits, uncertainty))
    changed, same = measured(truth, ignore, other_logits, other_uncertainty), measured(*scene(6))
    assert ignore.any()
    for key in same:
        if not key[0].startswith("boundary"):  # the prediction's boundary is found on the whole image
            assert changed[key] == same[key], key


@pytest.mark.parametrize("transform", [np.sqrt, np.square, lambda u: -1 / (1 + u), lambda u: 3 * u - 7])
def test_rank_metrics_ignore_strictly_monotone_transforms(transform):
    truth, ignore, logits, uncertainty = scene(7)
    plain = measured(truth, ignore, logits, uncertainty, ranks="exact")
    bent = measured(truth, ignore, logits, transform(uncertainty).astype(np.float32), ranks="exact")
    for key in plain:
        if key[0] in RANKED:
            assert bent[key] == plain[key], key


def test_scale_and_offset_of_uncertainty_leave_pearson():
    truth, ignore, logits, uncertainty = scene(8)
    plain, scaled = (measured(truth, ignore, logits, u) for u in (uncertainty, 8 * uncertainty - 4))
    for region in REGIONS:
        assert scaled["pearson", region] == pytest.approx(plain["pearson", region], abs=1e-6)


def test_a_perfect_prediction_scores_perfectly():
    truth, ignore, *_ = scene(10)
    found = measured(truth, ignore, np.where(truth, 40, -40).astype(np.float32), np.ones(truth.shape, np.float32))
    for region in REGIONS:
        assert all(found[name, region] == 1 for name in OVERLAPS)
        assert all(found[name, region] == 0 for name in ("error_rate", "aurc", "augrc"))
        assert found["brier", region] == pytest.approx(0, abs=1e-12) and found["ece", region] < 1e-12
        assert found["nll", region] == pytest.approx(1e-7, rel=1e-4), "held by the clamp"
        assert math.isnan(found["auroc", region]) and math.isnan(found["pearson", region])


def test_a_confidently_wrong_prediction_meets_the_clamp():
    truth, ignore, *_ = scene(11)
    found = measured(truth, ignore, np.where(truth, -500, 500).astype(np.float32), np.ones(truth.shape, np.float32))
    assert found["nll", "full"] == pytest.approx(-math.log(1e-7), rel=1e-6)
    assert found["brier", "full"] == found["ece", "full"] == found["error_rate", "full"] == 1
    assert math.isnan(found["auroc", "full"]) and found["augrc", "full"] == 0.5


def test_constant_uncertainty_upsampled_stays_constant_and_says_nothing():
    truth, ignore, logits, _ = scene(12)
    for value in np.float32([0.1, 1 / 3, 0.6931, -4.7, 1e-8]):
        found = measured(truth, ignore, logits, Layout(64, 16).to_picture(np.full((16, 16), value), truth.shape))
        assert found["pearson", "full"] == found["spearman", "full"] == 0
        assert found["auroc", "full"] == 0.5
        assert found["aurc", "full"] == pytest.approx(found["error_rate", "full"], abs=1e-12)


def test_empty_truth_and_empty_prediction_have_no_overlap_but_calibration():
    empty = np.zeros((20, 30), bool)
    found = measured(empty, empty, np.full((20, 30), -3, np.float32), np.ones((20, 30), np.float32))
    assert all(math.isnan(found[name, "full"]) for name in (*OVERLAPS, "auroc"))
    assert found["brier", "full"] == pytest.approx(1 / (1 + math.exp(3)) ** 2, rel=1e-5)
    assert all(math.isnan(found[name, "roi"]) for name in METRICS), "no truth, no region around it"


def test_an_error_past_float32_still_ranks_in_spearman():
    """|P - M| rounds to 0 for every logit here, but its order is known."""
    logits = np.linspace(-100, -30, 64, dtype=np.float32).reshape(8, 8)
    found = measured(np.zeros((8, 8), bool), np.zeros((8, 8), bool), logits, np.exp(logits / 10))
    assert found["spearman", "full"] == pytest.approx(1, abs=1e-12)
