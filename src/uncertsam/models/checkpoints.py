"""Named models and their weights: read without executing anything, with a checked hash.

A kind of model is a file of this package with `names()`, `network(name, facts)` (fresh weights, by name and manifest)
and `Model` (network, name, digest, weights -> `PromptableModel`).

Beside the weights lies a manifest, `<weights>.json`: name and SHA-256, and for an embedded model its trunk, its image
size and what it was trained on. Other checkpoints come without one; their hash is recorded at the first use and checked
ever after.
"""

import importlib
import json
import logging
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from uncertsam.base.checkout import shipped
from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json, written_aside
from uncertsam.base.registry import modules_defining
from uncertsam.models.promptable import PromptableModel

if TYPE_CHECKING:
    from uncertsam.models.nano import NanoSam

NO_WEIGHTS = (
    SafetensorError, pickle.UnpicklingError, RuntimeError, LookupError, TypeError, ValueError, OSError, EOFError
)  # fmt: skip
log = logging.getLogger(__name__)


def names() -> tuple[str, ...]:
    """Of all models: those that come with the package, then the other kinds'."""
    return tuple(name for kind in _kinds() for name in kind.names())


def _kinds() -> list[Any]:
    found = modules_defining("models", "network")
    return [importlib.import_module(f"uncertsam.models.{module}") for module in found]


def kind_of(name: str) -> Any:
    """The module that knows a model. Raises UserError on an unknown name."""
    for kind in _kinds():
        if name in kind.names():
            return kind
    raise UserError(f"There is no model named {name!r}.", f"It is one of {', '.join(names())}.")


def load_model(name: str, weights: Path, device: torch.device) -> PromptableModel:
    """A model in evaluation mode. Raises UserError on an unknown name and on missing, altered or foreign weights."""
    kind, shipped_facts = kind_of(name), read_manifest(shipped(f"{name}.safetensors"))
    digest = _checked_digest(weights)
    state, network = read_state(weights), kind.network(name, shipped_facts | read_manifest(weights))
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"{weights} does not hold the weights of {name} ({detail[:160]}).",
            "Give a name and a file that belong together: `models` in params.yaml, or --name and --model in the shell.",
        ) from None
    _record(weights, name, digest)
    model: PromptableModel = kind.Model(network.float().eval().to(device), name, digest, weights.absolute())
    return model


def device_named(name: str) -> torch.device:
    """The device that a parameter names. Raises UserError where this machine has none such."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()  # the device "meta" computes nothing
        return device
    except (RuntimeError, AssertionError, TypeError, ImportError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise UserError(f"base.device: there is no {name!r} here ({reason}).", "Set it to cpu, cuda or mps.") from None


def build_network(name: str) -> Any:
    """The architecture of a named model with fresh weights. Raises UserError on an unknown name."""
    return kind_of(name).network(name, read_manifest(shipped(f"{name}.safetensors")))


def save_embedded(network: "NanoSam", name: str, weights: Path, facts: dict[str, Any]) -> None:
    """Write half-precision weights and their manifest. facts: what they were trained on."""
    state = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    with written_aside(weights) as aside:
        save_file({k: v.contiguous() for k, v in state.items()}, aside)
    about = {"name": name, "trunk": network.trunk, "image_size": network.image_size, "sha256": sha256(weights)}
    write_json(manifest_path(weights), {**facts, **about})


def manifest_path(weights: Path) -> Path:
    return weights.with_suffix(weights.suffix + ".json")


def read_manifest(weights: Path) -> dict[str, Any]:
    """The manifest beside the weights; empty where there is none. Raises UserError where it is broken."""
    path = manifest_path(weights)
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no manifest ({error}).", "Restore it, or delete it to record the hash anew."
        ) from None


def _checked_digest(weights: Path) -> str:
    if not weights.is_file():
        raise UserError(f"The weights {weights} are missing.", "Put them there, or change `models` in params.yaml.")
    digest, manifest = sha256(weights), read_manifest(weights)
    if manifest and manifest.get("sha256") != digest:
        raise UserError(
            f"{weights} is not the file that {manifest_path(weights)} describes: its SHA-256 differs.",
            "Restore the weights; only if you replaced them on purpose, delete the manifest.",
        )
    return digest


def _record(weights: Path, name: str, digest: str) -> None:
    """Note the hash of weights that came without a manifest: once they are known to be whole, not before.

    Weights in a folder that cannot be written (of a cluster, of a container image) are as good as any others.
    """
    if read_manifest(weights):
        return
    try:
        write_json(manifest_path(weights), {"name": name, "sha256": digest, "note": "hash recorded at the first use"})
    except OSError as error:
        log.warning(
            "note: the hash of %s is not recorded (%s), so a later change of the file would not be noticed",
            weights, error.strerror or error,
        )  # fmt: skip


def read_state(weights: Path) -> dict[str, Tensor]:
    """The tensors of a weights file; nothing in it is executed. Raises UserError where it is missing or broken."""
    try:
        if weights.suffix == ".safetensors":
            return load(weights.read_bytes())  # by path it takes names in UTF-8 only
        state: dict[str, Tensor] = torch.load(weights, map_location="cpu", weights_only=True)["model"]
        return state
    except NO_WEIGHTS as error:
        raise UserError(f"{weights} cannot be read as weights ({error}).", "Fetch or restore the file.") from None
