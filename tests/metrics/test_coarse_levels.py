"""Measures beside a method's own are ranked in coarse levels; on a large picture that changes no number by 1e-4."""

import numpy as np
import pytest

from uncertsam.metrics.masks import PIXEL, examine_mask
from uncertsam.metrics.measure_list import MEASURES
from uncertsam.metrics.region import TruthSide
from uncertsam.metrics.stored import StoredMask
from uncertsam.models.layout import Layout

SIDE, LOW = 2000, 256


@pytest.fixture(scope="module")
def mask() -> tuple[TruthSide, StoredMask]:
    """A noisy disc on 2000 x 2000 pixels, and maps that support three measures beside the first."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    low_y, low_x = np.mgrid[:LOW, :LOW] / LOW - 0.5
    logits = (20 * (0.3 - np.hypot(low_x, low_y)) + rng.normal(0, 2, (LOW, LOW))).astype(np.float32)
    share = rng.uniform(0.2, 0.9, (LOW, LOW)).astype(np.float32)
    entropy = MEASURES["predictive_entropy"].of({"logits": logits})
    maps = {"logits": logits, "expected_entropy": share * entropy}
    truth = np.hypot(x, y) + rng.normal(0, 0.02, x.shape) < 0.3
    layout = Layout(4 * LOW, LOW)
    return TruthSide.of(truth, np.zeros_like(truth)), StoredMask(maps, MEASURES["predictive_entropy"], 0.9, layout)


def test_coarse_levels_stay_within_1e_4_of_exact_ranks(mask) -> None:
    found, exact = (examine_mask(*mask, ranks)[0] for ranks in ("bits", "exact"))
    own = mask[1].measure.name
    others = [key for key in exact if key[0] != own]
    assert len({key[0] for key in others}) == 3 and {key[1] for key in others} > {PIXEL}
    for key in others:
        assert found[key] == pytest.approx(exact[key], abs=1e-4), key
