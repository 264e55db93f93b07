"""Deformation attack: each object is moved by a smooth flow without drift, and its true mask with it (RUAC, S12).

flow     2 eps (sigmoid(raw) - 1/2), less its mean within the object, in cells of the features; bilinear in between
         (S12 and S13 cannot be read in the paper; this form is the authors' release)
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.training.attacks._parts import Images, Masks, nearly_zero, on_grid, reversed_gradient

Vacated = Literal["styled", "zero"]
Flow = Float[Tensor, "n 2 h w"]  # (x, y)


class OffsetNetwork(nn.Module):
    """Raw offsets per cell; 369,986 parameters at 256 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.InstanceNorm2d(channels),
            nn.Conv2d(channels, 128, 3, padding=1), nn.InstanceNorm2d(128), nn.ReLU(),
            nn.Conv2d(128, 64, 3, padding=1), nn.InstanceNorm2d(64), nn.ReLU(),
            nn.Conv2d(64, 2, 3, padding=1),
        )  # fmt: skip
        nearly_zero(self)

    def forward(self, fused: Float[Tensor, "n c h w"]) -> Flow:
        """fused: what the model makes of features and one object's mask."""
        raw: Flow = self.layers(fused)
        return raw


def bounded_flow(raw: Flow, masks: Float[Tensor, "n s s"], eps: float) -> Flow:
    """In cells, in +-2 eps; its mean within each mask is 0. masks: the objects', at the images' size."""
    inside = on_grid(masks[:, None], (raw.shape[2], raw.shape[3]))
    offsets = 2 * eps * (raw.sigmoid() - 0.5)
    drift = (offsets * inside).sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True).clamp(min=1)
    return offsets - drift


def warped(maps: Float[Tensor, "n c s s"], flow: Flow) -> Float[Tensor, "n c s s"]:
    """The maps read at x + flow(x), bilinear, the border continued. flow: in cells of its own grid."""
    side = maps.shape[-1]
    pixels = F.interpolate(flow, (side, side), mode="bilinear", align_corners=False) * (side / flow.shape[-1])
    line = torch.linspace(-1, 1, side, device=maps.device)
    base = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)
    at = base + pixels.permute(0, 2, 3, 1) * 2 / (side - 1)
    return F.grid_sample(maps, at, mode="bilinear", padding_mode="border", align_corners=True)


def warped_masks(masks: Float[Tensor, "n s s"], flow: Flow) -> Float[Tensor, "n s s"]:
    """True masks moved as their objects are, 0 and 1 again."""
    return (warped(masks[:, None], flow)[:, 0] > 0.5).float()


def pasted(
    images: Images, masks: Masks, flow: Float[Tensor, "b k 2 h w"], vacated: Vacated = "styled"
) -> tuple[Images, Masks]:
    """Images with every object moved by its flow, the mean of them where they overlap; and the moved masks.

    vacated: what is seen where an object was: the image before it was moved, or 0, the mean grey (the release).
    Gradients reach the flow through the images alone; the background is never moved.
    """
    count = masks.shape[1]
    each, flows = images.repeat_interleave(count, 0), flow.flatten(0, 1)
    moved = torch.unflatten(warped(each, flows), 0, (-1, count))
    new = torch.unflatten(warped_masks(masks.flatten(0, 1), flows).detach(), 0, (-1, count))
    weights, depth = new[:, :, None], new.sum(1)[:, None]
    ground = images if vacated == "styled" else images * (1 - masks.amax(1, keepdim=True))
    return torch.where(depth > 0, (moved * weights).sum(1) / depth.clamp(min=1), ground), new


class DeformAttacker(nn.Module):
    """channels: of the features. eps: RUAC's 0.15 cells, 2.4 pixels at SAM 2's 1024."""

    def __init__(self, channels: int, eps: float = 0.15, vacated: Vacated = "styled") -> None:
        super().__init__()
        self.offsets, self.eps, self.vacated = OffsetNetwork(channels), eps, vacated

    def forward(self, fused: Float[Tensor, "b k c h w"], images: Images, masks: Masks) -> tuple[Images, Masks]:
        """Deformed images and masks. fused: features and each object's mask; detached here."""
        raw = self.offsets(fused.detach().flatten(0, 1))
        flow = bounded_flow(reversed_gradient(raw), masks.flatten(0, 1), self.eps)
        return pasted(images, masks, torch.unflatten(flow, 0, masks.shape[:2]), self.vacated)
