"""Which cases to improve first? The mean IoU while cases are replaced in the order of a score (USAM, section 4.1).

From the most to the least uncertain, each of n cases is replaced by a better answer; the mean IoU goes from that of
`start` to that of `end` in n steps. The area under it, by trapezoids on these n + 1 points, is mean(start) plus the
generalised risk-coverage area (`ranking.augrc`) whose risk is the gain: hence it is the expectation over random orders
within ties, too. Oracle and worst order the cases by their true gain; their areas sum to mean(start) + mean(end).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from uncertsam.metrics.ranking import augrc, ratio

Cases = Float[np.ndarray, " n"]
Weights = Int[np.ndarray, "b clusters"]


@dataclass(frozen=True)
class Decision:
    """start, end: IoU of each case before and after its replacement. cluster: numbers from 0, resampled together.

    Raises ValueError without cases, and where a number is not finite.
    """

    start: Cases
    end: Cases
    cluster: Int[np.ndarray, " n"]

    def __post_init__(self) -> None:
        if not len(self.start) or not np.isfinite([self.start, self.end]).all():
            raise ValueError("a decision needs cases, and finite IoUs")

    @property
    def gain(self) -> Cases:
        return self.end - self.start

    @property
    def clusters(self) -> int:
        return int(self.cluster.max()) + 1

    def auc(self, score: Cases, weights: Weights | None = None) -> Float[np.ndarray, " b"]:
        """The area while cases are replaced from the highest score to the lowest, in units of IoU.

        weights: how often each cluster counts in each of b resamples (None: once, b = 1). ValueError on a NaN score.
        """
        if np.isnan(score).any():
            raise ValueError("a score is NaN, which has no place in an order")
        order = np.argsort(-score, kind="stable")
        first = np.flatnonzero(np.diff(score[order], prepend=np.inf))  # of each tie
        once = np.ones((1, self.clusters), int) if weights is None else weights
        often = once[:, self.cluster[order]]
        counts, gains = (np.add.reduceat(often * value, first, axis=1) for value in (1, self.gain[order]))
        return ratio(often @ self.start[order], often.sum(1)) + augrc(counts, gains)

    def relative(self, score: Cases, weights: Weights | None = None) -> Float[np.ndarray, " b"]:
        """(AUC - worst) / (oracle - worst): in [0, 1], 1/2 expected of a random order; NaN where all gains are equal.

        Arguments as in `auc`.
        """
        found, oracle, worst = (self.auc(by, weights) for by in (score, self.gain, -self.gain))
        spread = oracle - worst
        return ratio(found - worst, np.where(spread > 1e-12, spread, 0))  # equal gains leave rounding alone


def implied_end(oracle: float, worst: float, start: float) -> float:
    """The mean IoU after all replacements that published areas imply, from the one before (both in the same unit)."""
    return oracle + worst - start
