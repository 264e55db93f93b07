"""Pools that need no disk."""

from collections.abc import Callable

import numpy as np
import pytest
from promised import logistic

from uncertsam.experiments.guarantees._histograms import Pool, count


@pytest.fixture
def calibrated() -> Callable[..., Pool]:
    """Twelve images, one or two masks each, of 4000 pixels drawn from their own probabilities."""

    def made(scale: float = 1.0, seed: int = 0) -> Pool:
        rng = np.random.default_rng(seed)
        owner = np.repeat(np.arange(12), np.arange(12) % 2 + 1)
        counts = np.stack([count(*logistic(4000, rng, scale)) for _ in owner])
        return Pool(np.arange(12) * 3, owner, counts, np.ones(len(owner)), np.ones(len(owner)))

    return made
