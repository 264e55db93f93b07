"""Temperature scaling: one number per method divides its logits (Guo et al., ICML 2017, arXiv 1706.04599).

It is fitted by the negative log-likelihood, on a fixed grid that holds 1 and 2 exactly. It changes no mask.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from uncertsam.experiments.guarantees._histograms import CENTRES, Pool
from uncertsam.metrics.calibration import SURPRISE_LIMITS, bins_of

TEMPERATURES = 2.0 ** (np.arange(-64, 65) / 16)  # 1/16 to 16 in steps of 4.4 %
UNSCALED = 64  # where the temperature is 1
SCORES = ("nll", "brier", "ece")


def scores(pool: Pool) -> Float[np.ndarray, "3 n_images temperatures"]:
    """NLL (nats), Brier score and ECE of each temperature, summed over each image's masks.

    As in `metrics.calibration`, each mask is a mean over its pixels; the pixels of a level share its middle.
    """
    pixels = pool.counts.sum(axis=(1, 2))[:, None]
    scaled = CENTRES / TEMPERATURES[:, None]
    probability = 1 / (1 + np.exp(-scaled))
    surprise = [np.clip(np.logaddexp(0, sign * scaled), *SURPRISE_LIMITS) for sign in (1, -1)]
    nll = sum(pool.counts[:, side] @ surprise[side].T for side in (0, 1)) / pixels
    brier = (pool.counts[:, 0] @ probability.T**2 + pool.counts[:, 1] @ (1 - probability.T) ** 2) / pixels
    ece = np.stack([_ece(pool.counts, p) for p in probability], axis=1) / pixels
    return np.stack([pool.sums(values) for values in (nll, brier, ece)])


def _ece(counts: Int[np.ndarray, "n 2 levels"], probability: Float[np.ndarray, " levels"]) -> Float[np.ndarray, " n"]:
    """The calibration error of each mask times its pixels; the probability rises, so that a bin is a run of levels."""
    starts = np.unique(bins_of(probability), return_index=True)[1]
    residual = counts.sum(axis=1) * probability - counts[:, 1]
    return np.abs(np.add.reduceat(residual, starts, axis=1)).sum(axis=1)


def fitted(
    nll: Float[np.ndarray, "n_images temperatures"], calibrate: Bool[np.ndarray, "splits n_images"]
) -> Int[np.ndarray, " splits"]:
    """The position in `TEMPERATURES` of the least NLL on each split's calibrate images, each mask counting the same."""
    return np.argmin(calibrate @ nll, axis=1)


def on_test(
    values: Float[np.ndarray, "3 n_images temperatures"],
    masks: Int[np.ndarray, " n_images"],
    test: Bool[np.ndarray, "splits n_images"],
    place: Int[np.ndarray, " splits"],
) -> Float[np.ndarray, "3 splits"]:
    """The mean over the masks of each split's test images, at the temperature of that split."""
    means = (test @ values) / (test @ masks)[:, None]
    return means[:, np.arange(len(place)), place]
