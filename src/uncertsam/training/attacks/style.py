"""Style attack: mean and standard deviation of each RGB channel within a mask are changed, within bounds (RUAC, S10).

r                       six numbers per mask, from the mean feature within it
factor of the mean      1 - a + 2 a sigmoid(r[0:3]), a = min(0.2, 200 eps)
shift of the mean       eps tanh(r[3:6])
factor of the deviation 1 - b + 2 b sigmoid(r[0:3]), b = min(0.5, 500 eps)
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.training.attacks._graph import ObjectGraph
from uncertsam.training.attacks._parts import Features, Images, Masks, PerObject, nearly_zero, pooled, reversed_gradient

Scope = Literal["global", "single", "multi", "multi_bg", "gcn"]
FEWEST = 100  # pixels: a smaller mask has the statistics of the whole image
LEAST_DEVIATION = 0.1  # after the attack
LARGEST_PIXEL = 3.0  # in normalised units; ImageNet's lie in [-2.2, 2.7]


def statistics(images: Images, masks: Masks) -> Float[Tensor, "b k 6"]:
    """Means, in +-5, and standard deviations, in [0.01, 5], of the three channels within each mask."""
    large = masks.sum((2, 3), keepdim=True) >= FEWEST
    inside = torch.where(large, masks, 1.0).flatten(2)
    count, pixels = inside.sum(2, keepdim=True), images.flatten(2).mT
    mean = inside @ pixels / count
    square = inside @ pixels.square() / count
    deviation = ((square - mean.square()).clamp(min=0) + 1e-8).sqrt()
    return torch.cat([mean.clamp(-5, 5), deviation.clamp(0.01, 5)], 2)


def bounded(raw: Float[Tensor, "b k 6"], own: Float[Tensor, "b k 6"], eps: float) -> Float[Tensor, "b k 6"]:
    """Statistics near `own`, in the bounds above; a raw output of 0 leaves deviations above 0.1 and means as they are.

    The same three numbers scale mean and deviation, as in the authors' release.
    """
    mean, deviation = torch.split(own, 3, 2)
    share, shift = raw[..., :3].sigmoid() * 2 - 1, eps * raw[..., 3:].tanh()
    new_mean = mean * (1 + min(0.2, 200 * eps) * share) + shift
    new_deviation = deviation * (1 + min(0.5, 500 * eps) * share)
    return torch.cat([new_mean, new_deviation.clamp(min=LEAST_DEVIATION)], 2)


def restyled(images: Images, masks: Masks, own: Float[Tensor, "b k 6"], new: Float[Tensor, "b k 6"]) -> Images:
    """AdaIN within each mask; where masks overlap, the later one counts. Nothing changes outside of them."""
    found = images
    for k in range(masks.shape[1]):
        mean, deviation = torch.split(own[:, k, :, None, None], 3, 1)
        new_mean, new_deviation = torch.split(new[:, k, :, None, None], 3, 1)
        styled = (images - mean) / (deviation + 1e-6) * new_deviation + new_mean
        found = torch.where(masks[:, k : k + 1] > 0.5, styled.clamp(-LARGEST_PIXEL, LARGEST_PIXEL), found)
    return found


def scoped(masks: Masks, scope: Scope) -> Float[Tensor, "b m s s"]:
    """The masks that are restyled. masks: the objects', the target first."""
    if scope == "global":
        return torch.ones_like(masks[:, :1])
    if scope == "single":
        return masks[:, :1]
    if scope == "multi":
        return masks
    return torch.cat([masks, 1 - masks.amax(1, keepdim=True)], 1)


class StyleAttacker(nn.Module):
    """channels: of the features that it reads; at 256, 33,926 parameters without the graph. eps: RUAC's 0.3."""

    def __init__(self, channels: int, scope: Scope = "gcn", eps: float = 0.3, hidden: int = 128) -> None:
        super().__init__()
        self.scope, self.eps = scope, eps
        self.head = nn.Sequential(nn.Linear(channels, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, 6))
        nearly_zero(self)
        self.graph = ObjectGraph(channels, hidden) if scope == "gcn" else None

    def forward(self, features: Features, images: Images, masks: Masks, generator: torch.Generator | None) -> Images:
        """Normalised images in another style, in +-3 within the masks. masks: the objects', at the images' size.

        generator: of the graph's dropout; None for none. Features are detached: nothing is learnt but the attack.
        """
        masks, features = scoped(masks, self.scope), features.detach()
        own = statistics(images, masks).detach()
        raw: PerObject = self.head(pooled(features, masks))
        if self.graph is None:
            return restyled(images, masks, own, bounded(reversed_gradient(raw), own, self.eps))
        refined = self.graph(bounded(raw, own, self.eps) - own, features, masks, generator)
        change = reversed_gradient(refined.clamp(-self.eps, self.eps))
        return restyled(images, masks, own, own + change)
