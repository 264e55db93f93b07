"""Measures: from an outcome and the logit of its mean probability to the uncertainty U of each pixel."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from uncertsam.inference.algebra import Combined, Masks, Measure, Outcome


def entropy(logits: Masks) -> Masks:
    """Entropy of a coin of probability sigmoid(logits), in nats, in [0, ln 2]; exact in both tails."""
    size = logits.abs()
    return torch.log1p(torch.exp(-size)) + size * torch.sigmoid(-size)


PREDICTIVE_ENTROPY = Measure("predictive entropy [nats]", lambda outcome, logits: entropy(logits))
CONSTANT = Measure("constant", lambda outcome, logits: torch.ones_like(logits))


def combined(name: str) -> Measure:
    """The U that a `Combined` outcome brings. name: what it is, with its unit."""
    return Measure(name, _brought)


def _brought(outcome: Outcome, logits: Masks) -> Masks:
    if not isinstance(outcome, Combined):
        raise TypeError(f"{type(outcome).__name__} brings no uncertainty of its own")
    return outcome.uncertainty


def boundary_proximity(scale: float, picture: tuple[int, int] | None = None) -> Measure:
    """exp(-d / (scale * diagonal)), d the distance to the predicted boundary; in [0, 1]. scale: share of the diagonal.

    picture: height and width of the picture, whose proportions the square maps do not have (None: those of the maps).
    """
    name = "proximity to the predicted boundary [1]"
    return Measure(name, lambda outcome, logits: _proximity(logits, scale, picture))


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


def _proximity(logits: Masks, scale: float, picture: tuple[int, int] | None) -> Masks:
    height, width = picture or logits.shape[1:]
    cell = (height / logits.shape[1], width / logits.shape[2])
    reach = scale * math.hypot(height, width)
    distances: list[Tensor] = [torch.from_numpy(boundary_distance(m, cell)) for m in (logits > 0).cpu().numpy()]
    return torch.exp(-torch.stack(distances).to(logits.device) / reach)
