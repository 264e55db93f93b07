"""The posterior's predictions: moments of token 0's logits, and the same weights under several inputs.

Heads are independent under the posterior, so their variances add up.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.inference.algebra import Moments
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.promptable import Decoded, contract
from uncertsam.models.select import gate


def moments(state: LaplaceState, decoded: Decoded, gated: bool) -> Moments:
    """Mean and variance of token 0's logits: variance(i) = sum_c v_c E_c(i)^2. gated: as `gate` in `TokenPolicy`."""
    spread = [variance[:, None] for variance in output_variance(state, decoded)]
    variance = contract(spread, [head.features.square() for head in decoded.heads])[:, 0]
    mean = decoded.logits[:, 0]
    if gated:
        mean, variance = gate(mean, decoded.object_logit), gate(variance, decoded.object_logit, 0.0)
    return Moments(mean, variance, decoded.scores[:, 0], decoded.known_object_logit)


def output_variance(state: LaplaceState, decoded: Decoded) -> list[Float[Tensor, "n _"]]:
    """Of each head's output for token 0."""
    return state.output_variance([head.hidden[:, 0] for head in decoded.heads])


class DrawnLayers:
    """S sets of last layers drawn from the posterior, which can be asked about any picture and prompt: they are kept.

    The first set is the model's own, so that one sample is no noise at all.
    """

    def __init__(self, state: LaplaceState, samples: int, generator: torch.Generator) -> None:
        self.weight, self.bias = [], []
        for weight, bias in zip(state.variance_weight, state.variance_bias, strict=True):
            noise = torch.randn(samples, weight.shape[0], weight.shape[1] + 1, generator=generator).to(weight)
            noise[0] = 0
            self.weight.append(noise[..., :-1] * weight.sqrt())
            self.bias.append(noise[..., -1] * bias.sqrt())

    def logits(self, decoded: Decoded, gated: bool) -> Float[Tensor, "s n h w"]:
        """Token 0's logits under each set of layers."""
        layers = zip(self.weight, self.bias, decoded.heads, strict=True)
        moved = [torch.einsum("scd,nd->nsc", weight, head.hidden[:, 0]) + bias for weight, bias, head in layers]
        logits = decoded.logits[:, 0] + contract(moved, [head.features for head in decoded.heads]).transpose(0, 1)
        return gate(logits, decoded.object_logit) if gated else logits
