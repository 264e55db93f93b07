"""What measures and baselines need of logits, on the device where the logits are."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

Masks = Float[Tensor, "n h w"]


def entropy(logits: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n h w"]:
    """As `metrics.uncertainty.entropy`, of tensors."""
    size = logits.abs()
    return torch.log1p(torch.exp(-size)) + size * torch.sigmoid(-size)


def boundary_distance(
    mask: Bool[np.ndarray, "h w"], cell: tuple[float, float] = (1.0, 1.0)
) -> Float[np.ndarray, "h w"]:
    """Distance from each cell's centre to the line between object and ground, at least half a cell's shorter side.

    cell: its height and width. The image's edge is no boundary. Infinite everywhere if the mask is empty or full.
    """
    if mask.all() or not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    inside, outside = (distance_transform_edt(side, sampling=cell) for side in (mask, ~mask))
    return (np.maximum(inside, outside) - min(cell) / 2).astype(np.float32)


def boundary_proximity(logits: Masks, scale: float, picture: tuple[int, int] | None = None) -> Masks:
    """exp(-d / (scale * diagonal)), d the distance to the predicted boundary; in [0, 1]. scale: share of the diagonal.

    picture: height and width of the picture, whose proportions the square maps do not have (None: those of the maps).
    """
    height, width = picture or logits.shape[1:]
    cell = (height / logits.shape[1], width / logits.shape[2])
    reach = scale * math.hypot(height, width)
    distances: list[Tensor] = [torch.from_numpy(boundary_distance(m, cell)) for m in (logits > 0).cpu().numpy()]
    return torch.exp(-torch.stack(distances).to(logits.device) / reach)
