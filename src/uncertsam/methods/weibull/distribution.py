"""The Weibull distribution: moments, samples that gradients pass through, divergence from a Gamma prior.

All of it is float32. A shape k below 1 has a heavy tail; as k grows, the distribution becomes a point.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

EULER = 0.5772156649015329
FARTHEST = -math.log(1e-10)  # a sample of Exp(1) is at most this, 23.03
Values = Float[Tensor, "..."]


@dataclass(frozen=True)
class Weibull:
    """Independent variables. scale: at least 0. shape: k > 0, which broadcasts over the scale."""

    scale: Values
    shape: Values

    @classmethod
    def with_mean(cls, mean: Values, shape: Values) -> "Weibull":
        """Of a given mean, which the shape does not change: scale = mean / Gamma(1 + 1/k)."""
        mean, shape = mean.float(), shape.float()
        return cls(mean * torch.exp(-torch.lgamma(1 + 1 / shape)), shape)

    @property
    def mean(self) -> Values:
        """scale Gamma(1 + 1/k)."""
        return self.scale * torch.exp(torch.lgamma(1 + 1 / self.shape))

    @property
    def variance(self) -> Values:
        """scale^2 (Gamma(1 + 2/k) - Gamma(1 + 1/k)^2) (RUAC S7), written so that large k do not cancel."""
        first, second = torch.lgamma(1 + 1 / self.shape), torch.lgamma(1 + 2 / self.shape)
        return self.scale.square() * torch.exp(second) * -torch.expm1((2 * first - second).clamp(max=-1e-7))

    def sample(self, generator: torch.Generator) -> Values:
        """scale e^(1/k), e from Exp(1), drawn on the generator's device."""
        drawn = torch.empty(self.scale.shape, device=generator.device).exponential_(generator=generator)
        tiny = torch.finfo(torch.float32).tiny
        logarithm = drawn.clamp_(tiny, FARTHEST).log_().to(self.scale.device)
        return self.scale * torch.exp(logarithm / self.shape)

    def kl_to_gamma(self, shape: float, rate: float) -> Values:
        """KL(self || Gamma(shape, rate)) of each variable, in nats; 0 where both are the same exponential.

        1/k is held in [1e-10, 1e3], the scale in [1e-10, 1e6].
        """
        inverse, scale = (1 / self.shape).clamp(1e-10, 1e3), self.scale.clamp(1e-10, 1e6)
        spread = rate * scale * torch.exp(torch.lgamma(1 + inverse))
        own = EULER * (shape * inverse - 1) - inverse.log() - shape * scale.log() - 1
        return own + spread - shape * math.log(rate) + math.lgamma(shape)
