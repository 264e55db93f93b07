"""The losses that train a promptable decoder. Inputs are logits; every term is a mean over pixels, one per object."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Masks = Float[Tensor, "n h w"]
PerObject = Float[Tensor, " n"]


def dice_loss(probability: Masks, target: Masks) -> PerObject:
    """1 - (2 p.t + 1) / (sum p + sum t + 1), in [0, 1)."""
    overlap = (probability * target).sum((-2, -1))
    total = probability.sum((-2, -1)) + target.sum((-2, -1))
    return 1 - (2 * overlap + 1) / (total + 1)


def focal_loss(logits: Masks, target: Masks, alpha: float = 0.25, gamma: float = 2.0) -> PerObject:
    """Focal loss (Lin et al. 2017) with the balance that SAM 2 trains with."""
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    right = probability * target + (1 - probability) * (1 - target)
    balance = alpha * target + (1 - alpha) * (1 - target)
    return (balance * (1 - right) ** gamma * cross_entropy).mean((-2, -1))


def sam_loss(logits: Float[Tensor, "n m h w"], iou: Float[Tensor, "n m"], target: Masks) -> PerObject:
    """SAM 2's: 20 focal + dice of the mask that costs least, and how far each mask's predicted IoU is from its own."""
    n, m = iou.shape
    flat, targets = logits.flatten(0, 1), target.repeat_interleave(m, 0)
    each = (20 * focal_loss(flat, targets) + dice_loss(flat.sigmoid(), targets)).view(n, m)
    missed = (iou - iou_of_logits(flat, targets).view(n, m)).abs()
    return each.amin(1) + missed.mean(1)


def mask_loss(logits: Masks, target: Masks) -> PerObject:
    """2 cross-entropy + dice + 5 focal.

    SAM 2's 20 focal + dice alone leaves probabilities far from calibrated; the cross-entropy keeps them honest.
    """
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((-2, -1))
    return 2 * cross_entropy + dice_loss(logits.sigmoid(), target) + 5 * focal_loss(logits, target)


def iou_of_logits(logits: Masks, target: Masks) -> PerObject:
    """IoU of {logits > 0} with {target > 1/2}, in [0, 1]; 1 where both are empty."""
    predicted, truth = logits > 0, target > 0.5
    union = (predicted | truth).sum((-2, -1))
    overlap = (predicted & truth).sum((-2, -1))
    return torch.where(union > 0, overlap / union.clamp(min=1), torch.ones_like(union, dtype=logits.dtype))
