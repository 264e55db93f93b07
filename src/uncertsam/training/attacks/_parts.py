"""What the attackers share: gradient reversal, masks on another grid, pooling within masks."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "b 3 s s"]
Features = Float[Tensor, "b c h w"]
Masks = Float[Tensor, "b k s s"]  # 0 and 1; an empty mask is an object that an image lacks
PerObject = Float[Tensor, "b k c"]


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        return -outer[0]


def reversed_gradient(x: Tensor) -> Tensor:
    """The identity, with the gradient negated: what lies before it ascends the loss that all else descends."""
    found: Tensor = _Reversal.apply(x)
    return found


def on_grid(masks: Masks, grid: tuple[int, int]) -> Float[Tensor, "b k h w"]:
    """Masks at the features' resolution; they stay 0 and 1."""
    return F.interpolate(masks, grid, mode="nearest")


def pooled(features: Features, masks: Masks) -> PerObject:
    """The mean feature of each mask; 0 where it has no cell."""
    small = on_grid(masks, (features.shape[2], features.shape[3])).flatten(2)
    return small @ features.flatten(2).mT / small.sum(2, keepdim=True).clamp(min=1)


def nearly_zero(module: nn.Module) -> None:
    """Weights from N(0, 0.01^2), no bias: the attack begins close to the identity. Normalisations keep their 1."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
