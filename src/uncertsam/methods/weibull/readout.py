"""The Bayesian read-out: it replaces a decoder's last product, features times mask weights (RUAC, App. A).

logit of pixel p, mask t     sum over channels c of Z[p, c] (W[t, fg, c] - W[t, bg, c])
Z, W                         Weibull; their means are rectified linear functions of features and mask tokens
k                            one per pixel for Z, one per mask and channel for W, in `SHAPES`

What is not published (width of the network for k, its input, the bounds of k) is chosen; see the docs of RUAC.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.methods.weibull.distribution import Weibull

SHAPES = (0.1, 50.0)
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
        """tokens: the mask tokens after the transformer. features: the upscaled image features."""
        z = straight_through_relu(self.pixel(features))
        w = straight_through_relu(self.token(tokens).unflatten(-1, (2, -1)))
        k_z = _bounded(self.pixel_shape(z))
        k_w = _bounded(self.token_shape(w.transpose(-1, -2))).transpose(-1, -2)
        return Evidence(Weibull.with_mean(z, k_z), Weibull.with_mean(w, k_w))


def _bounded(raw: Tensor) -> Tensor:
    return F.softplus(raw.float()).clamp(*SHAPES)


@torch.no_grad()
def mimic(readout: BayesianReadout, answers: Iterable[tuple[Tokens, Float[Tensor, "n t c"]]], ridge: float) -> None:
    """Begin at the model's own masks: its mask weights, from its tokens, by ridge regression.

    answers: tokens and the weights that the model gives them, of some images. Features pass unchanged, up to the
    negative part of their GELU, which is above -0.17. ridge: of the mean squared token.
    """
    pairs = zip(*answers, strict=True)
    tokens, weights = (torch.cat([part.flatten(0, 1) for part in parts]).double() for parts in pairs)
    rows = torch.cat([tokens, torch.ones_like(tokens[:, :1])], 1)
    gram = rows.T @ rows
    damped = gram + ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    found = torch.linalg.solve(damped, rows.T @ weights).float()
    readout.token.weight.copy_(torch.cat([found[:-1].T, -found[:-1].T]))
    readout.token.bias.copy_(torch.cat([found[-1], -found[-1]]))
    nn.init.dirac_(readout.pixel.weight)
    assert readout.pixel.bias is not None
    readout.pixel.bias.zero_()
