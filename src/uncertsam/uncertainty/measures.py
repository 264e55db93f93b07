"""Measures: from an outcome and the logit of its mean probability to the uncertainty U of each pixel."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from uncertsam.uncertainty.algebra import Masks, Measure


def entropy(logits: Masks) -> Masks:
    """Entropy of a coin of probability sigmoid(logits), in nats, in [0, ln 2]; exact in both tails (spec 7)."""
    size = logits.abs()
    return torch.log1p(torch.exp(-size)) + size * torch.sigmoid(-size)


PREDICTIVE_ENTROPY = Measure("predictive entropy [nats]", lambda outcome, logits: entropy(logits))
CONSTANT = Measure("constant", lambda outcome, logits: torch.ones_like(logits))


def boundary_proximity(scale: float) -> Measure:
    """exp(-d / (scale * diagonal)), d the distance to the predicted boundary; in [0, 1]."""
    return Measure("proximity to the predicted boundary [1]", lambda outcome, logits: _proximity(logits, scale))


def boundary_distance(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Distance from each cell's centre to the line between object and ground, in cells: at least 1/2.

    The image's edge is no boundary. Infinite everywhere if the mask is empty or full.
    """
    if mask.all() or not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    sides = (mask.astype(np.uint8), (~mask).astype(np.uint8))
    inside, outside = (cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in sides)
    return np.maximum(inside, outside) - np.float32(0.5)


def _proximity(logits: Masks, scale: float) -> Masks:
    reach = scale * math.hypot(*logits.shape[1:])
    distances: list[Tensor] = [torch.from_numpy(boundary_distance(m)) for m in (logits > 0).cpu().numpy()]
    return torch.exp(-torch.stack(distances).to(logits.device) / reach)
