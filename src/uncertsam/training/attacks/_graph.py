"""A graph network over the objects of an image and its background: attacks on objects take account of each other.

edges    IoU of two masks; 1 - d, d the distance of their outlines over the image's diagonal; the cosine of their mean
         features where it is 0.5 or more; 0.5 between an object and the background. Several between two nodes add up.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.training.attacks._parts import Features, Masks, nearly_zero, on_grid, pooled

COSINE, BACKGROUND, RESIDUAL, DROPOUT = 0.5, 0.5, 0.1, 0.1
Square = Float[Tensor, "k k"]


class ObjectGraph(nn.Module):
    """Two graph convolutions over [change of style, a reading of the mean feature], 6 numbers each."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reading = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, 6))
        nearly_zero(self)
        self.first, self.norm, self.second = nn.Linear(12, 12), nn.LayerNorm(12), nn.Linear(12, 6)

    def forward(
        self, change: Float[Tensor, "b k 6"], features: Features, masks: Masks, generator: torch.Generator | None
    ) -> Float[Tensor, "b k 6"]:
        """The change plus a tenth of what the graph makes of it. The last mask is the background's."""
        found = pooled(features, masks)
        grid = on_grid(masks, (features.shape[2], features.shape[3]))
        neighbours = torch.stack([normalised(edges(*pair)) for pair in zip(grid, found, strict=True)])
        nodes = torch.cat([change, self.reading(found)], 2)
        nodes = _dropped(self.norm(neighbours @ self.first(nodes)).relu(), generator)
        return change + RESIDUAL * (neighbours @ self.second(nodes))


def normalised(weights: Square) -> Square:
    """Half the node itself, half the weighted mean of its neighbours; without neighbours, itself. Rows add up to 1."""
    shares = weights / weights.sum(1, keepdim=True).clamp(min=1e-12)
    looped = shares + torch.eye(len(weights), device=weights.device)
    return looped / looped.sum(1, keepdim=True)


def edges(masks: Float[Tensor, "k h w"], found: Float[Tensor, "k c"]) -> Square:
    """Symmetric, 0 on the diagonal and at masks without a cell. masks: on the features' grid, the background last."""
    objects, there = masks[:-1], masks.sum((1, 2)) > 0
    weights = masks.new_full((len(masks), len(masks)), BACKGROUND)
    weights[:-1, :-1] = _overlap(objects) + _proximity(objects) + _similarity(found[:-1])
    weights.fill_diagonal_(0)
    return weights * there * there[:, None]


def _overlap(masks: Float[Tensor, "k h w"]) -> Square:
    flat = masks.flatten(1)
    both, sizes = flat @ flat.T, flat.sum(1)
    return both / (sizes + sizes[:, None] - both).clamp(min=1)


def _similarity(found: Float[Tensor, "k c"]) -> Square:
    unit = F.normalize(found, dim=1)
    cosine = unit @ unit.T
    return torch.where(cosine >= COSINE, cosine, 0.0)


def _proximity(masks: Float[Tensor, "k h w"]) -> Square:
    """From the cells just outside each mask."""
    outlines = F.max_pool2d(masks[:, None], 3, 1, 1)[:, 0] - masks
    cells = [torch.nonzero(outline).float() for outline in outlines]
    found, diagonal = masks.new_zeros(len(masks), len(masks)), math.hypot(*masks.shape[1:])
    for i, one in enumerate(cells):
        for j, other in enumerate(cells[:i]):
            if len(one) and len(other):
                near = (1 - torch.cdist(one, other).min() / diagonal).clamp(min=1e-6)
                found[i, j] = found[j, i] = near
    return found


def _dropped(x: Tensor, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return x
    kept = torch.rand(x.shape, generator=generator, device=generator.device) >= DROPOUT
    return x * kept.to(x.device) / (1 - DROPOUT)
