"""Small statistics behind the answers: how large, how sure, and what would have been seen."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

POWER = 0.8  # at which a difference counts as detectable


class _SignedRank(NamedTuple):
    """Wilcoxon's signed-rank test: two-sided `p`, and `effect`, the matched-pairs rank-biserial correlation.

    effect: (W+ - W-) / (W+ + W-) in [-1, 1]; 1 where every difference is above 0.
    """

    p: float
    effect: float


def signed_rank(differences: Float[np.ndarray, " n"]) -> _SignedRank:
    """Is the middle of the differences 0? NaN without any that is not 0; exact for few (see `scipy.stats.wilcoxon`).

    Differences of 0 say nothing for either side and are left out (Wilcoxon 1945).
    """
    moved = differences[differences != 0]
    if not moved.size:
        return _SignedRank(math.nan, math.nan)
    ranks = stats.rankdata(np.abs(moved))
    return _SignedRank(float(stats.wilcoxon(moved).pvalue), float((np.sign(moved) * ranks).sum() / ranks.sum()))


def smallest_p(n: int) -> float:
    """The smallest two-sided p that the exact signed-rank test can give for n differences: 2 / 2^n."""
    return min(1.0, 2.0 ** (1 - n))


def holm(p: Sequence[float]) -> list[float]:
    """p adjusted for so many tests (Holm 1979): the k-th smallest of m times m - k + 1, never falling, at most 1.

    A NaN is no test: it stays NaN and is not counted.
    """
    adjusted, least = [math.nan] * len(p), 0.0
    tests = sorted((value, place) for place, value in enumerate(p) if not math.isnan(value))
    for rank, (value, place) in enumerate(tests):
        least = max(least, min(1.0, value * (len(tests) - rank)))
        adjusted[place] = least
    return adjusted


def detectable(error: Float[np.ndarray, " n"], alpha: float, power: float = POWER) -> Float[np.ndarray, " n"]:
    """The smallest true difference that a two-sided test at `alpha` would show with probability `power`.

    (z(1 - alpha / 2) + z(power)) times the standard error; 2.80 of it at 0.05 and 0.8.
    """
    factor = float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
    return factor * error
