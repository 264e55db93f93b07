"""Is the probability right? Brier score, negative log-likelihood, calibration error, from the logit of P.

Everything rests on the signed residual P - M, computed from the logit of the less likely side: it keeps its precision
where P itself rounds to 0 or 1.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, UInt8

from uncertsam.metrics._blocks import BLOCK, blocks

PROBABILITY_FLOOR = 1e-7  # the likelihood of one pixel is held in [1e-7, 1 - 1e-7]
SURPRISE_LIMITS = (-math.log1p(-PROBABILITY_FLOOR), -math.log(PROBABILITY_FLOOR))
ECE_BINS = 10
LANES = 8  # sums per bin: most pixels are in two bins, and to add to one sum again and again means to wait for it


@dataclass(frozen=True)
class Forecast:
    """The predicted probability of foreground against the truth, pixel by pixel.

    probability: P in [0, 1]. residual: P - M in [-1, 1]. surprise: the negative log-likelihood in nats, in
    [1e-7, 16.12]. error_logit: the logit of |P - M|, which orders the errors even where |P - M| rounds to 0 or 1.
    wrong: the mask (logit > 0) differs from the truth.
    """

    probability: Float[np.ndarray, " n"]
    residual: Float[np.ndarray, " n"]
    surprise: Float[np.ndarray, " n"]
    error_logit: Float[np.ndarray, " n"]
    wrong: Bool[np.ndarray, " n"]

    @classmethod
    def of(
        cls, logits: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"], out: Float[np.ndarray, "4 n"] | None = None
    ) -> "Forecast":
        """Compare finite logits of P with the truth M. out: memory for the numbers."""
        probability, residual, surprise, error_logit = np.empty((4, logits.size), logits.dtype) if out is None else out
        made = cls(probability, residual, surprise, error_logit, np.empty_like(truth))
        for block in blocks(logits.size):
            made.at(block)._compare(logits[block], truth[block])
        return made

    def at(self, pixels: slice) -> "Forecast":
        """The same for some of the pixels: views, not copies."""
        return Forecast(*(getattr(self, f.name)[pixels] for f in fields(self)))

    def _compare(self, logits: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> None:
        """Fill every array."""
        odds = np.exp(-np.abs(logits))
        lesser = odds / (1 + odds)  # the probability of the less likely side
        predicted, sign = logits > 0, 1 - 2 * truth.astype(logits.dtype)
        np.not_equal(predicted, truth, out=self.wrong)
        np.multiply(sign, logits, out=self.error_logit)
        np.abs(predicted - lesser, out=self.probability)
        np.multiply(sign, np.abs(self.wrong - lesser), out=self.residual)
        np.clip(np.log1p(odds) + np.maximum(self.error_logit, 0), *SURPRISE_LIMITS, out=self.surprise)


def brier(residual: Float[np.ndarray, " n"]) -> float:
    """Mean squared difference of probability and truth, in [0, 1]."""
    parts = (residual[block].astype(np.float64) for block in blocks(residual.size))
    return sum(float(part @ part) for part in parts) / residual.size


def expected_calibration_error(probability: Float[np.ndarray, " n"], residual: Float[np.ndarray, " n"]) -> float:
    """Sum over bins of |mean P - share of foreground| times the share of pixels, in [0, 1].

    Ten bins [0, .1), [.1, .2) ... [.9, 1) of the foreground probability, and P = 1 by itself: what torchmetrics'
    BinaryCalibrationError (n_bins=10, norm "l1") does, which the authors' code uses. In a bin the difference times
    the share is |sum of P - M| / n.
    """
    sums = np.zeros((LANES, ECE_BINS + 1))
    lane = np.arange(min(BLOCK, residual.size)) % LANES * (ECE_BINS + 1)
    for block in blocks(residual.size):
        bins = bins_of(probability[block])
        sums += np.bincount(lane[: bins.size] + bins, residual[block], sums.size).reshape(sums.shape)
    return float(np.abs(sums.sum(axis=0)).sum() / residual.size)


def bins_of(probability: Float[np.ndarray, " n"]) -> UInt8[np.ndarray, " n"]:
    """The bin of each probability: 0 to 9, and 10 for P = 1."""
    return (probability * ECE_BINS).astype(np.uint8)


def reliability(forecast: Forecast) -> Float[np.ndarray, "3 bins"]:
    """Per bin: the share of all pixels, and what these add to the mean of P and to that of the truth.

    The second and third row over the first are a bin's mean probability and its share of foreground.
    """
    bins, truth = bins_of(forecast.probability).astype(np.intp), np.rint(forecast.probability - forecast.residual)
    sums = [np.bincount(bins, weights, ECE_BINS + 1) for weights in (None, forecast.probability, truth)]
    return np.stack(sums) / bins.size
