"""A trained variance network on disk: best and last weights, and a manifest that says what they belong to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load as tensors_of
from safetensors.torch import save_file
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json, written_aside
from uncertsam.methods.variance.network import VarianceNetwork, build_network, width_of
from uncertsam.models.promptable import PromptableModel

KIND = "uncertsam variance network, version 1"
AGAIN = "Run the train_variance stage again."
BEST, LAST = "best.safetensors", "last.safetensors"

Weights = Mapping[str, Tensor]


def save(
    folder: Path,
    model: PromptableModel,
    best: Weights,
    last: Weights,
    params: Mapping[str, Any],
    data: Mapping[str, str],
) -> None:
    """Write `folder`, whole or not at all. params: of the training. data: what it was trained on, name -> hash."""
    with written_aside(folder) as aside:
        aside.mkdir(parents=True)
        for name, weights in ((BEST, best), (LAST, last)):
            save_file({key: value.contiguous().cpu() for key, value in weights.items()}, aside / name)
        about = {"kind": KIND, "model": model.name, "model_sha256": model.digest, "width": width_of(model)}
        hashes = {name: sha256(aside / name) for name in (BEST, LAST)}
        write_json(aside / "manifest.json", about | {"params": dict(params), "data": dict(data), "sha256": hashes})


def load(folder: Path, model: PromptableModel, name: str = BEST) -> VarianceNetwork:
    """Read what `save` wrote. Raises UserError where it is missing, broken, changed, or of another model."""
    manifest = _read(folder / "manifest.json")
    path = folder / name
    if not path.exists() or sha256(path) != manifest["sha256"].get(name):
        raise UserError(f"{path} is not the file that its manifest describes.", AGAIN)
    if manifest["model_sha256"] != model.digest or manifest["width"] != width_of(model):
        raise UserError(f"{folder} was trained on {manifest['model']}, not on these weights of {model.name}.", AGAIN)
    network = build_network(model, manifest["params"]["token"], seed=0)
    network.load_state_dict(tensors_of(path.read_bytes()))
    return network.to(model.device).eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if manifest["kind"] != KIND or manifest["params"]["token"] not in (0, "all"):
            raise ValueError(manifest["kind"])
        for key, kind in (("model", str), ("model_sha256", str), ("width", int), ("sha256", dict)):
            if not isinstance(manifest[key], kind):
                raise TypeError(key)
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", "Run the train_variance stage first.") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is no manifest of a variance network ({error!r}).", AGAIN) from None
    return manifest
