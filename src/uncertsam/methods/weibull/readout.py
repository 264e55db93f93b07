"""The Bayesian read-out: it replaces a decoder's last product, features times mask weights (RUAC, App. A).

logit of pixel p, mask t     sum over channels c of Z[p, c] (W[t, fg, c] - W[t, bg, c])
Z, W                         Weibull; their means are rectified linear functions of features and mask tokens
k                            one per pixel for Z, one per mask and channel for W, in `SHAPES`

What is not published (width of the network for k, its input, the bounds of k) is chosen; see the docs of RUAC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.methods.weibull.distribution import Weibull
from uncertsam.models.promptable import Decoded

SHAPES = (0.1, 50.0)
OFFSET, SHAPE, RIDGE = 0.5, 5.0, 1e-4  # of the start, see `mimic`: SHAPE is about the first k
PRIOR = (1.0, 3.0)  # shape and rate of the Gamma prior (the authors' release)
Tokens = Float[Tensor, "n t d"]
Features = Float[Tensor, "n c h w"]


class _StraightThrough(torch.autograd.Function):
    """max(0, x), whose gradient is that of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        return outer[0]


def straight_through_relu(x: Tensor) -> Tensor:
    """max(0, x) forward, identity backward: a channel without evidence can gain some."""
    found: Tensor = _StraightThrough.apply(x)
    return found


@dataclass(frozen=True)
class Evidence:
    """Both factors. pixels: [n, c, h, w], k [n, 1, h, w]. weights: [n, t, 2, c], k [n, t, 1, c]; fg before bg."""

    pixels: Weibull
    weights: Weibull

    def divergence(self) -> Float[Tensor, ""]:
        """KL to the prior: summed over channels, mean over pixels and over masks, each held in +-1000."""
        pixels, weights = (part.kl_to_gamma(*PRIOR) for part in (self.pixels, self.weights))
        return pixels.sum(1).mean().clamp(-1e3, 1e3) + weights.sum(-1).mean().clamp(-1e3, 1e3)


class BayesianReadout(nn.Module):
    """Backbone-agnostic. At SAM 2's 32 channels and 256 token dimensions it has 27,044 parameters."""

    def __init__(self, channels: int, dimensions: int) -> None:
        super().__init__()
        self.pixel = nn.Conv2d(channels, channels, 1)
        self.pixel_shape = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.GELU(), nn.Conv2d(channels, 1, 3, padding=1)
        )
        self.token = nn.Linear(dimensions, 2 * channels)
        self.token_shape = nn.Linear(2, 1)

    def forward(self, tokens: Tokens, features: Features) -> Evidence:
        """tokens: whatever says which mask is meant, such as the mask tokens. features: the upscaled image features."""
        z = straight_through_relu(self.pixel(features))
        w = straight_through_relu(self.token(tokens).unflatten(-1, (2, -1)))
        k_z = _bounded(self.pixel_shape(z))
        k_w = _bounded(self.token_shape(w.transpose(-1, -2))).transpose(-1, -2)
        return Evidence(Weibull(z.float(), k_z), Weibull(w.float(), k_w))


def _bounded(raw: Tensor) -> Tensor:
    return F.softplus(raw.float()).clamp(*SHAPES)


def last_product(decoded: Decoded) -> tuple[Float[Tensor, "n t c"], Features]:
    """Mask weights and features of any model, the channels of all its heads one after the other."""
    parts = [torch.stack([head.output(token) for token in range(head.hidden.shape[1])], 1) for head in decoded.heads]
    return torch.cat(parts, 2), torch.cat([head.features for head in decoded.heads], 1)


@torch.no_grad()
def mimic(readout: BayesianReadout, answers: Sequence[tuple[Tokens, Float[Tensor, "n t c"], Features]]) -> None:
    """Begin at the model's own masks. answers: what is read, the model's mask weights, and its features.

    Features may be negative and evidence may not, and there is no bias to take an offset away again. So a linear
    reading of the features that is close to 1 everywhere is added to each of them: A x, A = I + OFFSET 1 m'. The
    weights w become A'^-1 w, by ridge regression on what is read: exact where that is w itself.
    """
    read, weights = (torch.cat([one[i].flatten(0, 1) for one in answers]).double() for i in (0, 1))
    gram, mean = (torch.stack(parts).mean(0) for parts in zip(*map(_moments, answers), strict=True))
    lift = torch.eye(len(gram)).to(gram) + OFFSET * _ridge(gram, mean)
    rows = torch.cat([read, torch.ones_like(read[:, :1])], 1)
    found = _ridge(rows.T @ rows, rows.T @ weights @ torch.linalg.inv(lift)).float()
    readout.token.weight.copy_(torch.cat([found[:-1].T, -found[:-1].T]))
    readout.token.bias.copy_(torch.cat([found[-1], -found[-1]]))
    readout.pixel.weight.copy_(lift.float()[:, :, None, None])
    shapes = (readout.pixel_shape[-1], readout.token_shape)
    for layer, value in ((readout.pixel, 0.0), *((layer, SHAPE) for layer in shapes)):
        nn.init.constant_(layer.get_parameter("bias"), value)


def _moments(answer: tuple[Tokens, Tensor, Features]) -> tuple[Float[Tensor, "c c"], Float[Tensor, " c"]]:
    flat = answer[2].double().transpose(0, 1).flatten(1)
    return flat @ flat.T / flat.shape[1], flat.mean(1)


def _ridge(gram: Float[Tensor, "d d"], target: Tensor) -> Tensor:
    damping = RIDGE * gram.diagonal().mean() * torch.eye(len(gram)).to(gram)
    found: Tensor = torch.linalg.solve(gram + damping, target)
    return found
