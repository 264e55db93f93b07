"""How much of a variance comes from each of three crossed sources.

With p(m, v, b) on a full grid of models, views and boxes, let c(A) be the variance of E[p | the sources in A]. By the
law of total variance c grows with A from 0 to the total. Each source is given its Shapley value of c: its main effect,
and an equal share of every interaction that it takes part in (Owen, 2014, "Sobol' indices and Shapley value").
"""

from itertools import combinations
from math import factorial

import torch
from jaxtyping import Float
from torch import Tensor

PARTS = ("model", "image", "prompt")


def decompose(
    probability: Float[Tensor, "models views boxes n h w"],
) -> tuple[Float[Tensor, "n h w"], dict[str, Float[Tensor, "n h w"]]]:
    """The variance over the whole grid, in [0, 1/4], and the share of each of `PARTS`, which add up to it.

    No share is negative; that of a source which changes nothing is 0.
    """
    explained = _explained(probability)
    shares = [_shapley(explained, source) for source in range(len(PARTS))]
    shares = [share.clamp(min=0) for share in shares]  # rounding alone goes below
    return torch.stack(shares).sum(0), dict(zip(PARTS, shares, strict=True))


def _explained(probability: Tensor) -> dict[frozenset[int], Tensor]:
    """c(A) of every set of sources."""
    sources = range(len(PARTS))
    centred = probability - probability.mean((0, 1, 2), keepdim=True)
    found = {frozenset[int](): torch.zeros_like(probability[0, 0, 0])}
    for size in (1, 2, 3):
        for known in combinations(sources, size):
            others = [axis for axis in sources if axis not in known]
            mean = centred.mean(others, keepdim=True) if others else centred
            found[frozenset(known)] = mean.square().mean((0, 1, 2))
    return found


def _shapley(explained: dict[frozenset[int], Tensor], source: int) -> Tensor:
    count = len(PARTS)
    share = torch.zeros_like(explained[frozenset()])
    for known in explained:
        if source not in known:
            weight = factorial(len(known)) * factorial(count - len(known) - 1) / factorial(count)
            share = share + weight * (explained[known | {source}] - explained[known])
    return share
