"""Our NumPy against torch and torchmetrics (the only test of metrics that imports torch)."""

import numpy as np
import pytest

from uncertsam.metrics.calibration import Forecast, expected_calibration_error
from uncertsam.models.layout import Layout

torch = pytest.importorskip("torch")
classification = pytest.importorskip("torchmetrics.functional.classification")


@pytest.mark.parametrize("size", [(64, 64), (256, 256), (97, 301), (40, 33)])
def test_to_picture_equals_torch_bilinear_with_half_pixel_centres(size):
    low = np.random.default_rng(0).normal(0, 10, (64, 64)).astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(low)[None, None], size, mode="bilinear")[0, 0].numpy()
    np.testing.assert_allclose(
        Layout(256, 64).to_picture(low, size), expected, atol=1e-5 * np.ptp(low)
    )  # positions in float32


def torchmetrics_ece(probability, truth):
    found = classification.binary_calibration_error(
        torch.from_numpy(probability), torch.from_numpy(truth.astype(np.int64)), n_bins=10, norm="l1"
    )
    return float(found)


@pytest.mark.parametrize("scale", [0.3, 3, 30])
def test_ece_equals_torchmetrics(scale):
    rng = np.random.default_rng(1)
    logits, truth = rng.normal(0, scale, 2000).astype(np.float32), rng.random(2000) < 0.3
    forecast = Forecast.of(logits, truth)
    found = expected_calibration_error(forecast.probability, forecast.residual)
    assert found == pytest.approx(torchmetrics_ece(forecast.probability, truth), abs=2e-6)


def test_ece_bins_hold_their_lower_edge_and_one_stands_alone():
    edges = np.linspace(0, 1, 11).astype(np.float32)
    below, above = np.nextafter(edges[1:], np.float32(0)), np.nextafter(edges[:-1], np.float32(1))
    probability = np.concatenate([edges, below, above])
    rng = np.random.default_rng(2)
    for _ in range(20):
        truth = rng.random(probability.size) < 0.5
        found = expected_calibration_error(probability, probability - truth.astype(np.float32))
        assert found == pytest.approx(torchmetrics_ece(probability, truth), abs=1e-6)
