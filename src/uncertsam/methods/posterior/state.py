"""A fitted last-layer posterior, and its part on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
NUMBERS = ("prior_precision", "temperature")


@dataclass(frozen=True)
class LaplaceState:
    """N(model's own weights, 1 / (curvature / temperature + prior precision)), independent per weight.

    model, model_sha256: whose last layers it is of. images: how many were seen. params: of the fit.
    curvature_weight, curvature_bias: per head, summed GGN diagonal of its layer's [c, d] weight and [c] bias.
    """

    model: str
    model_sha256: str
    images: int
    params: dict[str, Any]
    curvature_weight: tuple[Float[Tensor, "_ _"], ...]
    curvature_bias: tuple[Float[Tensor, " _"], ...]
    prior_precision: Float[Tensor, ""]
    temperature: Float[Tensor, ""]

    @classmethod
    def of(cls, manifest: Mapping[str, Any], tensors: Weights) -> "LaplaceState":
        """What `save` wrote."""
        known: dict[str, Any] = {name: manifest[name] for name in ("model", "model_sha256", "images", "params")}
        known |= {name: tensors[name] for name in NUMBERS}
        heads = range((len(tensors) - len(NUMBERS)) // 2)
        weight, bias = (tuple(tensors[names[i]] for names in map(_names, heads)) for i in range(2))
        return cls(curvature_weight=weight, curvature_bias=bias, **known)

    def to(self, device: torch.device) -> "LaplaceState":
        tensors = {name: tensor.to(device) for name, tensor in self.tensors().items()}
        return LaplaceState.of(vars(self), tensors)

    def tensors(self) -> dict[str, Tensor]:
        """As they are kept in a file."""
        curvatures = enumerate(zip(self.curvature_weight, self.curvature_bias, strict=True))
        found = {name: tensor for head, pair in curvatures for name, tensor in zip(_names(head), pair, strict=True)}
        return found | {name: getattr(self, name) for name in NUMBERS}

    @property
    def variance_weight(self) -> tuple[Float[Tensor, "_ _"], ...]:
        return self._variances(self.curvature_weight)

    @property
    def variance_bias(self) -> tuple[Float[Tensor, " _"], ...]:
        return self._variances(self.curvature_bias)

    def output_variance(self, hidden: Sequence[Float[Tensor, "n _"]]) -> list[Float[Tensor, "n _"]]:
        """Variance of each layer's outputs, which are independent normals given the layers' inputs `hidden`."""
        layers = zip(hidden, self.variance_weight, self.variance_bias, strict=True)
        return [h.square() @ weight.T + bias for h, weight, bias in layers]

    def _variances(self, curvatures: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(1 / (curvature / self.temperature + self.prior_precision) for curvature in curvatures)


def save(state: LaplaceState, folder: Path, data: Mapping[str, str]) -> None:
    """Write `folder`, whole or not at all. data: what it was fitted on, name -> hash."""
    facts = {
        "layer": [*state.curvature_weight[0].shape],
        "images": state.images,
        "params": state.params,
        "prior_precision": float(state.prior_precision),
        "data": dict(data),
    }
    PART.save(folder, state.model, state.model_sha256, {FILE: state.tensors()}, facts)


def load(folder: Path | None, model: PromptableModel) -> LaplaceState:
    """Read what `save` wrote. Raises UserError where it is missing, broken, changed, or of another model."""
    saved, like = PART.open(folder, model), dict.fromkeys(NUMBERS, torch.zeros(()))
    for head, layer in enumerate(model.last_layers):
        like |= dict(zip(_names(head), (layer.weight, layer.bias), strict=True))
    return LaplaceState.of(saved.manifest, saved.weights(FILE, like)).to(model.device)


def _names(head: int) -> tuple[str, str]:
    """A head's tensors in a file."""
    number = f"_{head}" if head else ""
    return f"curvature_weight{number}", f"curvature_bias{number}"
