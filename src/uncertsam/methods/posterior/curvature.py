"""The generalised Gauss-Newton diagonal of the last linear layer in closed form, as a backend of laplace-torch.

The logit of a pixel i is linear in the layer's weights: z_i = sum_c (W h + b)_c E_c(i), with h the layer's input and E
the upscaled features; several heads add up, and the diagonal has a block for each. With p the predicted probabilities,
a head's diagonal per mask is

    softmax_pixels: H_b[c] = sum_i p_i (E_c(i) - sum_j p_j E_c(j))^2   one categorical over the pixels
    bernoulli:      H_b[c] = sum_i p_i (1 - p_i) E_c(i)^2              one coin per pixel
    both:           H_W[c, d] = h_d^2 H_b[c]

Importing this module imports laplace-torch, which takes seconds: do so where something is fitted, nowhere else.
"""

import warnings
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.models.promptable import contract

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a dependency of laplace-torch compiles with a deprecated decorator
    from laplace import DiagLaplace
    from laplace.curvature import CurvatureInterface

__all__ = ["DiagLaplace", "Head", "LastLayerGgn"]

Likelihood = Literal["bernoulli", "softmax_pixels"]
Data = Mapping[str, Any]  # of every head a hidden [n, d] and features [n, c, pixels]; labels


class Head(nn.Module):
    """The last layers, one per head, as a model of their own, in the form that laplace-torch's "classification" wants.

    softmax_pixels: logits [n, pixels], labels float [n, pixels]. bernoulli: logits [n * pixels, 2], whose first
    column is 0, and labels int [n * pixels].
    """

    def __init__(self, layers: Sequence[nn.Linear], likelihood: Likelihood) -> None:
        super().__init__()
        self.likelihood = likelihood
        self.layers = nn.ModuleList(deepcopy(layer).requires_grad_(True) for layer in layers)

    def forward(self, data: Data) -> Float[Tensor, "observations classes"]:
        outputs = [layer(hidden)[:, None] for layer, hidden in zip(self.layers, data["hidden"], strict=True)]
        logits = contract(outputs, data["features"])[:, 0]
        if self.likelihood == "softmax_pixels":
            return logits
        return torch.stack([torch.zeros_like(logits), logits], -1).flatten(0, 1)

    def labels(self, target: Float[Tensor, "n pixels"]) -> Tensor:
        """Masks of 0 and 1 as labels of the likelihood."""
        return target if self.likelihood == "softmax_pixels" else target.flatten().long()


class LastLayerGgn(CurvatureInterface):
    """Curvature of a `Head`: no Jacobian, no matrix of pixels by pixels."""

    model: Head

    def diag(  # type: ignore[override]  # it is only ever given a head's data
        self, x: Data, y: Tensor, **kwargs: Any
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " parameters"]]:
        """Summed loss and GGN diagonal of one batch, both detached: the marginal likelihood is refused a graph."""
        with torch.no_grad():
            logits = self.model(x)
            per_mask = _categorical if self.model.likelihood == "softmax_pixels" else _coins
            diagonal = []
            for hidden, features in zip(x["hidden"], x["features"], strict=True):
                bias = per_mask(features, logits)
                diagonal += [(bias.T @ hidden.square()).flatten(), bias.sum(0)]
            return self.factor * self.lossfunc(logits, y), torch.cat(diagonal)


def _categorical(features: Float[Tensor, "n c p"], logits: Float[Tensor, "n p"]) -> Float[Tensor, "n c"]:
    """Variance of each feature under the softmax over pixels; centred before it is squared, for the digits."""
    probability = torch.softmax(logits, 1)[:, :, None]
    centred = features - features @ probability
    return (centred.square() @ probability)[..., 0]


def _coins(features: Float[Tensor, "n c p"], logits: Float[Tensor, "np 2"]) -> Float[Tensor, "n c"]:
    """Sum of each squared feature times the coins' variance. The first column of the logits is 0."""
    logit = logits[:, 1].reshape(len(features), -1, 1)
    return (features.square() @ (torch.sigmoid(logit) * torch.sigmoid(-logit)))[..., 0]
