"""Invented numbers: they live in tests only."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from uncertsam.metrics.calibration import Forecast
from uncertsam.metrics.curves import Curves, curve_table
from uncertsam.metrics.ranking import exact_levels, histogram

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


@pytest.fixture
def curved() -> Callable[..., pd.DataFrame]:
    """Curves for the datasets and methods of `invented`, from random masks."""

    def make(datasets: int, methods: int = 5, seed: int = 0) -> pd.DataFrame:
        generator, parts = np.random.default_rng(seed), []
        for dataset, method in ((d, m) for d in DATASETS[:datasets] for m in METHODS[:methods]):
            masks = []
            for size in (30, 200):
                logits, truth = generator.normal(0, 3, size), generator.random(size) < 0.4
                forecast = Forecast.of(logits, truth)
                ranked = histogram(exact_levels(-np.abs(logits).round(1)), forecast.wrong)
                masks.append(Curves.of(forecast, *ranked))
            parts.append(curve_table(dataset, method, masks))
        return pd.concat(parts, ignore_index=True)

    return make
