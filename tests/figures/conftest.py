"""Invented numbers: they live in tests only."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

DATASETS = ["soft_shadows", "ISTD", "cracks", "spleen", "e", "f", "g", "h", "i", "j", "k", "l"]
METHODS = ["sam", "laplace", "laplace_closed", "constant", "boundary_distance", "my_method"]
METRICS = ["iou", "boundary_iou_0.02", "pearson", "brier"]
QUALITY = {"soft_shadows": "synthetic", "spleen": "model"}


@pytest.fixture
def invented() -> Callable[..., pd.DataFrame]:
    """A table like `intervals.csv` for so many datasets and methods."""

    def make(datasets: int, methods: int = 5, seed: int = 0) -> pd.DataFrame:
        generator = np.random.default_rng(seed)
        keys = [(d, m, k) for d in DATASETS[:datasets] for m in METHODS[:methods] for k in METRICS]
        frame = pd.DataFrame(keys, columns=["dataset", "method", "metric"]).assign(region="full")
        mean, half = generator.uniform(0.1, 0.8, len(frame)), generator.uniform(0.01, 0.09, len(frame))
        frame = frame.assign(mean_masks=mean, mean_images=mean, low=mean - half, high=mean + half)
        frame = frame.assign(n_images=20, n_masks=31, n_nan=0, detectable=half * 2**0.5, note="")
        synthetic = frame["dataset"] == "soft_shadows"
        return frame.assign(synthetic=synthetic, quality=[QUALITY.get(d, "human") for d in frame["dataset"]])

    return make
