"""Conformal risk control: a threshold that keeps what a mask misses below alpha, on average over images.

Source: Angelopoulos, Bates, Fisch, Lei, Schuster, "Conformal Risk Control", ICLR 2024 (arXiv 2208.02814). The loss of
an image is the mean share of its objects that their masks {P >= t} miss: it lies in [0, 1] and never falls as t rises.
Of n calibrate images exchangeable with the test image, the largest t with n / (n + 1) * mean loss + 1 / (n + 1) <=
alpha has an expected test loss of at most alpha. Where no t is admitted, as always where 1 / (n + 1) > alpha, the
answer is the whole image, which misses nothing.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

ROUNDING = 1e-12  # a sum of floats may lie so much above what it is


def threshold(risk: Float[np.ndarray, "splits thresholds"], n: int, alpha: float) -> Int[np.ndarray, " splits"]:
    """The position of the largest admitted threshold, given the mean loss of n calibrate images at each; 0: everything.

    Along the thresholds the risk must not fall.
    """
    admitted = n / (n + 1) * risk + 1 / (n + 1) <= alpha + ROUNDING
    admitted[:, 0] = True
    return risk.shape[1] - 1 - np.argmax(admitted[:, ::-1], axis=1)


def calibrated(
    losses: Float[np.ndarray, "n_images thresholds"], calibrate: Bool[np.ndarray, "splits n_images"], alpha: float
) -> Int[np.ndarray, " splits"]:
    """The threshold of each split, from its calibrate images alone; all splits have the same number of them."""
    n = int(calibrate[0].sum())
    return threshold(calibrate @ losses / n, n, alpha)


def on_test(
    values: Float[np.ndarray, "n_images thresholds"],
    test: Bool[np.ndarray, "splits n_images"],
    place: Int[np.ndarray, " splits"],
) -> Float[np.ndarray, " splits"]:
    """The mean over each split's test images, at the threshold of that split."""
    return (test * values[:, place].T).sum(axis=1) / test.sum(axis=1)


def bound(n: int, alpha: float) -> float:
    """What the mean test loss over many splits stays below: alpha, and 1 / (n + 1) to spare for so many splits only."""
    return alpha + 1 / (n + 1)
