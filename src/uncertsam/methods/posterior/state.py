"""A fitted last-layer posterior on disk: tensors, and a manifest that says what they belong to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors.torch import load as tensors_of
from safetensors.torch import save_file
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json, written_aside
from uncertsam.models.promptable import PromptableModel

KIND = "uncertsam last-layer laplace, version 1"
TENSORS = ("curvature_weight", "curvature_bias", "prior_precision", "temperature")
REFIT = "Fit it again: the fit_laplace stage, or `uncertsam fit --force` with the same --model."


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
    with written_aside(folder) as aside:
        aside.mkdir()
        tensors = aside / "posterior.safetensors"
        save_file({name: getattr(state, name).contiguous().cpu() for name in TENSORS}, tensors)
        write_json(aside / "manifest.json", _manifest(state, data) | {"sha256": sha256(tensors)})


def load(folder: Path, model: PromptableModel) -> LaplaceState:
    """Read what `save` wrote. Raises UserError where it is missing, broken, changed, or of another model."""
    manifest = _read_manifest(folder / "manifest.json")
    path = folder / "posterior.safetensors"
    if not path.exists() or sha256(path) != manifest["sha256"]:
        raise UserError(f"{path} is not the file that its manifest describes.", REFIT)
    if manifest["model_sha256"] != model.digest:
        ours, theirs = _name(model.name, model.digest), _name(manifest["model"], manifest["model_sha256"])
        raise UserError(f"{folder} was fitted on {theirs}, but the model is {ours}.", REFIT)
    tensors = tensors_of(path.read_bytes())
    state = LaplaceState(manifest["model"], manifest["model_sha256"], manifest["images"], manifest["params"], **tensors)
    if state.curvature_weight.shape != model.last_layer.weight.shape:
        shapes = f"{[*state.curvature_weight.shape]}, but the model's layer is {[*model.last_layer.weight.shape]}"
        raise UserError(f"{folder} was fitted on a layer of {shapes}.", REFIT)
    return state.to(model.device)


def _manifest(state: LaplaceState, data: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": KIND,
        "model": state.model,
        "model_sha256": state.model_sha256,
        "layer": [*state.curvature_weight.shape],
        "images": state.images,
        "params": state.params,
        "prior_precision": float(state.prior_precision),
        "data": dict(data),
        "libraries": {name: version(name) for name in ("laplace-torch", "torch")},
    }


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        known = manifest["kind"] == KIND and {"model", "model_sha256", "images", "params", "sha256"} <= manifest.keys()
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", REFIT) from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is broken ({error!r}).", REFIT) from None
    if not known:
        raise UserError(f"{path} is not of the kind {KIND!r}.", REFIT)
    return dict(manifest)


def _name(name: str, digest: str) -> str:
    return f"{name} ({digest[:12]})"
