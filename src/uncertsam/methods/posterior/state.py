"""A fitted last-layer posterior, and its part on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.models.promptable import PromptableModel
from uncertsam.training.fitted import FittedPart, Weights

PART = FittedPart(
    "uncertsam last-layer laplace, version 1",
    "Fit it again: the fit_laplace stage, or `uncertsam fit --force` with the same --model.",
    {"images": int},
    ("laplace-torch", "torch"),
)
FILE = "posterior.safetensors"
TENSORS = ("curvature_weight", "curvature_bias", "prior_precision", "temperature")


@dataclass(frozen=True)
class LaplaceState:
    """N(model's own weights, 1 / (curvature / temperature + prior precision)), independent per weight.

    model, model_sha256: whose last layer it is. images: how many were seen. params: of the fit.
    curvature_weight, curvature_bias: summed GGN diagonal of the layer's [c, d] weight and [c] bias.
    """

    model: str
    model_sha256: str
    images: int
    params: dict[str, Any]
    curvature_weight: Float[Tensor, "c d"]
    curvature_bias: Float[Tensor, " c"]
    prior_precision: Float[Tensor, ""]
    temperature: Float[Tensor, ""]

    @classmethod
    def of(cls, manifest: Mapping[str, Any], tensors: Weights) -> "LaplaceState":
        """What `save` wrote."""
        about = {name: manifest[name] for name in ("model", "model_sha256", "images", "params")}
        return cls(**about, **dict[str, Any](tensors))

    def to(self, device: torch.device) -> "LaplaceState":
        return replace(self, **{name: getattr(self, name).to(device) for name in TENSORS})

    @property
    def variance_weight(self) -> Float[Tensor, "c d"]:
        return self._variance(self.curvature_weight)

    @property
    def variance_bias(self) -> Float[Tensor, " c"]:
        return self._variance(self.curvature_bias)

    def output_variance(self, hidden: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Variance of the layer's outputs, which are independent normals given its input `hidden`."""
        return hidden.square() @ self.variance_weight.T + self.variance_bias

    def _variance(self, curvature: Tensor) -> Tensor:
        return 1 / (curvature / self.temperature + self.prior_precision)


def save(state: LaplaceState, folder: Path, data: Mapping[str, str]) -> None:
    """Write `folder`, whole or not at all. data: what it was fitted on, name -> hash."""
    facts = {
        "layer": [*state.curvature_weight.shape],
        "images": state.images,
        "params": state.params,
        "prior_precision": float(state.prior_precision),
        "data": dict(data),
    }
    tensors = {name: getattr(state, name) for name in TENSORS}
    PART.save(folder, state.model, state.model_sha256, {FILE: tensors}, facts)


def load(folder: Path | None, model: PromptableModel) -> LaplaceState:
    """Read what `save` wrote. Raises UserError where it is missing, broken, changed, or of another model."""
    saved, layer, number = PART.open(folder, model), model.last_layer, torch.zeros(())
    like = dict(zip(TENSORS, (layer.weight, layer.bias, number, number), strict=True))
    return LaplaceState.of(saved.manifest, saved.weights(FILE, like)).to(model.device)
