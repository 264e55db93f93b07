"""From evidence to logits, probability and u: analytic, or by samples of both factors.

u    entropy of a pixel's probability divided by ln 2, in [0, 1]: exactly 1 where there is no evidence
"""

import math
from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.inference.measures import entropy
from uncertsam.methods.weibull.readout import Evidence
from uncertsam.training.task import Mode

Variance = Literal["full", "product"]
LARGEST = math.log((1 - 1e-4) / 1e-4)  # the probability behind u lies in [1e-4, 1 - 1e-4]
Maps = Float[Tensor, "n t h w"]


def logits(evidence: Evidence, mode: Mode, generator: torch.Generator | None = None) -> Maps:
    """Their mean, or one sample: Z and W are drawn, never the logit. generator: needed for a sample."""
    if mode == "mean":
        return _product(evidence.pixels.mean, evidence.weights.mean)
    if generator is None:
        raise ValueError("a sample needs a generator")
    return _product(evidence.pixels.sample(generator), evidence.weights.sample(generator))


def logit_variance(evidence: Evidence, kind: Variance) -> Maps:
    """Of each logit, exact ("full"); or the authors' sum of products of variances ("product"), a part of that.

    With d = W_fg - W_bg: sum of E[d]^2 Var[Z] + E[Z]^2 Var[d] + Var[Z] Var[d], for Z is shared by fg and bg.
    "product": sum of Var[Z] times the mean of Var[W_fg] and Var[W_bg], the latter at least 1e-8 (RUAC S9, release).
    """
    z, w = evidence.pixels, evidence.weights
    square = z.mean.square()  # Var[Z] = square * dispersion, and the latter is a pixel's: it stays out of the sum
    if kind == "product":
        return z.dispersion * _contract(square, w.variance.clamp(min=1e-8).mean(2))
    fg, bg = w.mean.unbind(2)
    spread = w.variance.sum(2)
    return z.dispersion * _contract(square, (fg - bg).square() + spread) + _contract(square, spread)


def tempered(mean: Maps, variance: Maps) -> Maps:
    """The logit of the mean probability, by MacKay: mean / sqrt(1 + pi variance / 8)."""
    return mean / torch.sqrt(1 + math.pi / 8 * variance)


def doubt(logits: Maps) -> Maps:
    """u of the probability sigmoid(logits), which is held in [1e-4, 1 - 1e-4]."""
    flat = logits.clamp(-LARGEST, LARGEST).flatten(0, 1)
    return entropy(flat).reshape(logits.shape) / math.log(2)


def analytic_doubt(evidence: Evidence, kind: Variance = "full") -> Maps:
    """u without a sample."""
    return doubt(tempered(logits(evidence, "mean"), logit_variance(evidence, kind)))


@torch.no_grad()
def sampled_probability(evidence: Evidence, samples: int, generator: torch.Generator) -> Maps:
    """The mean of sigmoid(logit) over `samples` draws; no gradient. One draw is in memory at a time."""
    draws: Iterator[Tensor] = (logits(evidence, "sample", generator).sigmoid() for _ in range(samples))
    total = next(draws)
    for draw in draws:
        total += draw
    return total / samples


def _product(pixels: Float[Tensor, "n c h w"], weights: Float[Tensor, "n t 2 c"]) -> Maps:
    return _contract(pixels, weights[:, :, 0] - weights[:, :, 1])


def _contract(pixels: Float[Tensor, "n c h w"], weights: Float[Tensor, "n t c"]) -> Maps:
    with torch.autocast(pixels.device.type, enabled=False):
        return (weights @ pixels.flatten(2)).reshape(*weights.shape[:2], *pixels.shape[2:])
