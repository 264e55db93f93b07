"""Is the probability right? Brier score, negative log-likelihood, calibration error, from the logit of P.

Everything rests on the signed residual P - M, computed from the logit of the less likely side: it keeps its precision
where P itself rounds to 0 or 1.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

PROBABILITY_FLOOR = 1e-7  # the likelihood of one pixel is held in [1e-7, 1 - 1e-7]
SURPRISE_LIMITS = (-math.log1p(-PROBABILITY_FLOOR), -math.log(PROBABILITY_FLOOR))
ECE_BINS = 10


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
    def of(cls, logits: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> "Forecast":
        """Compare finite logits of P with the truth M."""
        odds = np.exp(-np.abs(logits))
        lesser = odds / (1 + odds)  # the probability of the less likely side
        predicted = logits > 0
        wrong = predicted != truth
        sign = 1 - 2 * truth.astype(logits.dtype)
        error_logit = sign * logits
        surprise = np.clip(np.log(1 + odds) + np.maximum(error_logit, 0), *SURPRISE_LIMITS)
        return cls(np.abs(predicted - lesser), sign * np.abs(wrong - lesser), surprise, error_logit, wrong)

    def at(self, pixels: Int[np.ndarray, " k"]) -> "Forecast":
        """The same for some of the pixels."""
        return Forecast(*(getattr(self, f.name)[pixels] for f in fields(self)))


def brier(residual: Float[np.ndarray, " n"]) -> float:
    """Mean squared difference of probability and truth, in [0, 1]."""
    return float(np.square(residual, dtype=np.float64).mean())


def expected_calibration_error(probability: Float[np.ndarray, " n"], residual: Float[np.ndarray, " n"]) -> float:
    """Sum over bins of |mean P - share of foreground| times the share of pixels, in [0, 1].

    Ten bins [0, .1), [.1, .2) ... [.9, 1) of the foreground probability, and P = 1 by itself: what torchmetrics'
    BinaryCalibrationError (n_bins=10, norm "l1") does, which the authors' code uses. In a bin the difference times
    the share is |sum of P - M| / n.
    """
    return float(np.abs(np.bincount(bins_of(probability), weights=residual)).sum() / residual.size)


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
