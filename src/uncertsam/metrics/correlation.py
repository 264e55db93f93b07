"""Does uncertainty rise with error? Pearson's and Spearman's correlation of U with |P - M|.

Both are NaN where the error is constant (there is nothing to follow), and 0 where only the uncertainty is constant (it
says nothing; the authors' code gives 0 as well, by a small number added to the denominator).
"""

import numpy as np
from jaxtyping import Float, Int


def pearson(uncertainty: Float[np.ndarray, " n"], error: Float[np.ndarray, " n"]) -> float:
    """Pearson's correlation in [-1, 1], summed in float64."""
    u, e = _centred(uncertainty), _centred(error)
    return _cosine(float(u @ e), float(np.linalg.norm(u)), float(np.linalg.norm(e)))


def spearman(uncertainty: Int[np.ndarray, " n"], error: Int[np.ndarray, " n"]) -> float:
    """Spearman's correlation in [-1, 1] from the levels of both (`ranking.levels_of`); ties share their mean rank."""
    (u, norm_u), (e, norm_e) = _centred_ranks(uncertainty), _centred_ranks(error)
    return _cosine(float(u @ e), norm_u, norm_e)


def _centred(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Values less their mean; exactly 0 where all are equal, which the mean's rounding could hide."""
    if values.min() == values.max():
        return np.zeros(values.shape)
    centred: Float[np.ndarray, " n"] = values - values.mean(dtype=np.float64)
    return centred


def _centred_ranks(levels: Int[np.ndarray, " n"]) -> tuple[Float[np.ndarray, " n"], float]:
    """Each item's rank less the mean rank, and the norm of all; half-integers, hence exact."""
    counts = np.bincount(levels)
    ranks = np.cumsum(counts) - counts / 2 - levels.size / 2
    return ranks[levels], float(np.sqrt(counts @ ranks**2))


def _cosine(product: float, norm_u: float, norm_e: float) -> float:
    if norm_e == 0:
        return float("nan")
    return float(np.clip(product / norm_u / norm_e, -1, 1)) if norm_u else 0.0
