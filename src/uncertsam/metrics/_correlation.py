"""Does uncertainty rise with error? Pearson's and Spearman's correlation of U with |P - M|.

Both are NaN where the error is constant (there is nothing to follow), and 0 where only the uncertainty is constant (it
says nothing; the authors' code gives 0 as well, by a small number added to the denominator).
"""

import numpy as np
from jaxtyping import Float, Int

from uncertsam.metrics._blocks import blocks, count, lookup


def pearson(uncertainty: Float[np.ndarray, " n"], error: Float[np.ndarray, " n"]) -> float:
    """Pearson's correlation in [-1, 1], summed in float64."""
    middle_u, middle_e = _centre(uncertainty), _centre(error)
    products = np.zeros(3)
    for block in blocks(error.size):
        u, e = _centred(uncertainty[block], middle_u), _centred(error[block], middle_e)
        products += u @ e, u @ u, e @ e
    return _cosine(products[0], *np.sqrt(products[1:]))


def spearman(
    uncertainty: Int[np.ndarray, " n"], error: Int[np.ndarray, " n"], counts: Int[np.ndarray, " g"] | None = None
) -> float:
    """Spearman's correlation in [-1, 1] from the levels of both (`ranking.levels_of`); ties share their mean rank.

    counts: how many pixels each level of `uncertainty` has, if that is known.
    """
    ranks_u, norm_u = _centred_ranks(count(uncertainty) if counts is None else counts)
    ranks_e, norm_e = _centred_ranks(count(error))
    product = 0.0
    for block in blocks(error.size):
        product += lookup(ranks_u, uncertainty[block]) @ lookup(ranks_e, error[block])
    return _cosine(product, norm_u, norm_e)


def _centred(values: Float[np.ndarray, " n"], centre: float) -> Float[np.ndarray, " n"]:
    centred: Float[np.ndarray, " n"] = values.astype(np.float64)
    centred -= centre
    return centred


def _centre(values: Float[np.ndarray, " n"]) -> float:
    """The mean; where all are equal exactly their value, which the mean's rounding could miss."""
    low = values.min()
    return float(low if low == values.max() else values.mean(dtype=np.float64))


def _centred_ranks(counts: Int[np.ndarray, " g"]) -> tuple[Float[np.ndarray, " g"], float]:
    """Each level's rank less the mean rank, and the norm over all items; half-integers, hence exact."""
    after = np.cumsum(counts)
    ranks = after - (counts + after[-1]) / 2
    return ranks, float(np.sqrt(counts @ ranks**2))


def _cosine(product: float, norm_u: float, norm_e: float) -> float:
    if norm_e == 0:
        return float("nan")
    return float(np.clip(product / norm_u / norm_e, -1, 1)) if norm_u else 0.0
