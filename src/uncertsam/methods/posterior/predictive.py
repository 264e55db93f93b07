"""The posterior's predictions: moments of token 0's logits, and the same weights under several inputs."""

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.inference.algebra import Moments
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.promptable import Decoded
from uncertsam.models.select import gate


def moments(state: LaplaceState, decoded: Decoded, gated: bool) -> Moments:
    """Mean and variance of token 0's logits: variance(i) = sum_c v_c E_c(i)^2. gated: as `gate` in `TokenPolicy`."""
    spread = state.output_variance(decoded.hidden[:, 0])
    variance = (spread[:, None] @ decoded.features.flatten(2).square())[:, 0].reshape(decoded.logits[:, 0].shape)
    mean = decoded.logits[:, 0]
    if gated:
        mean = gate(mean, decoded.object_score)
        variance = torch.where(decoded.object_score[:, None, None] > 0, variance, 0.0)
    return Moments(mean, variance, decoded.iou[:, 0], decoded.object_score)


class DrawnLayers:
    """S last layers drawn from the posterior, which can be asked about any picture and prompt: the weights are kept.

    The first layer is the model's own, so that one sample is no noise at all.
    """

    def __init__(self, state: LaplaceState, samples: int, generator: torch.Generator) -> None:
        weight, bias = state.variance_weight, state.variance_bias
        noise = torch.randn(samples, weight.shape[0], weight.shape[1] + 1, generator=generator).to(weight)
        noise[0] = 0
        self.weight = noise[..., :-1] * weight.sqrt()
        self.bias = noise[..., -1] * bias.sqrt()

    def logits(self, decoded: Decoded, gated: bool) -> Float[Tensor, "s n h w"]:
        """Token 0's logits under each layer."""
        moved = torch.einsum("scd,nd->nsc", self.weight, decoded.hidden[:, 0]) + self.bias
        change = (moved @ decoded.features.flatten(2)).transpose(0, 1)
        logits = decoded.logits[:, 0] + torch.unflatten(change, -1, decoded.features.shape[-2:])
        return gate(logits, decoded.object_score) if gated else logits
