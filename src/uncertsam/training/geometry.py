"""First phase of pre-training: what a box means, learned over noise.

Training everything together from a cold start learns nothing in 1,300 steps. Prompt encoder and decoder alone,
asked to turn a box into the ellipse inscribed in it over features that are pure noise, learn it in minutes; the
encoder then has a decoder to learn from.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.sam.model import Embedding, PromptableModel
from uncertsam.sam.nano import STRIDE, WIDTH
from uncertsam.sam.prompts import from_boxes
from uncertsam.training.losses import mask_loss


def random_boxes(count: int, size: int, generator: torch.Generator) -> Float[Tensor, "n 4"]:
    """Boxes of 8 % to 98 % of the side, small ones more often, clipped to the image, at least 8 px wide."""
    centre = torch.rand(count, 2, generator=generator) * size
    extent = (torch.rand(count, 2, generator=generator) ** 1.5 * 0.9 + 0.08) * size
    low = (centre - extent / 2).clamp(0, size - 9)
    high = torch.maximum((centre + extent / 2).clamp(max=size - 1), low + 8)
    return torch.cat([low, high], 1)


def inscribed_ellipses(boxes: Float[Tensor, "n 4"], size: int, cells: int) -> Float[Tensor, "n c c"]:
    """The filled ellipse inside each box, on a grid of `cells` by `cells`; 1 inside."""
    scaled = (boxes * cells / size)[:, :, None, None]
    at = torch.arange(cells) + 0.5
    y, x = at[:, None], at[None, :]
    u = (x - (scaled[:, 0] + scaled[:, 2]) / 2) / ((scaled[:, 2] - scaled[:, 0]) / 2 + 0.5)
    v = (y - (scaled[:, 1] + scaled[:, 3]) / 2) / ((scaled[:, 3] - scaled[:, 1]) / 2 + 0.5)
    return (u**2 + v**2 < 1).float()


def noise_embedding(count: int, size: int, generator: torch.Generator) -> Embedding:
    """Features that carry nothing, at the scale the trunk starts with."""
    cells = size // STRIDE

    def noise(channels: int, side: int, scale: float) -> Tensor:
        return torch.randn(count, channels, side, side, generator=generator) * scale

    return Embedding(noise(WIDTH, cells, 0.3), (noise(WIDTH // 8, 4 * cells, 0.1), noise(WIDTH // 4, 2 * cells, 0.1)))


def geometry_loss(model: PromptableModel, batch: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
    """Mean mask loss of all four tokens on one random batch, and the IoU of token 0."""
    boxes = random_boxes(batch, model.image_size, generator)
    target = inscribed_ellipses(boxes, model.image_size, model.image_size // 4)
    decoded = model.decode(noise_embedding(batch, model.image_size, generator), from_boxes(boxes))
    losses = mask_loss(decoded.logits.flatten(0, 1), target.repeat_interleave(decoded.logits.shape[1], 0))
    hit = (decoded.logits[:, 0] > 0) & (target > 0)
    seen = (decoded.logits[:, 0] > 0) | (target > 0)
    iou = hit.sum((1, 2)) / seen.sum((1, 2))
    return losses.mean(), {"geometry_iou": float(iou.mean())}
