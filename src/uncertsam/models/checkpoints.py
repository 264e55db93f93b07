"""Named models and their weights: read without executing anything, with a checked hash.

Beside the weights lies a manifest, `<weights>.json`: SHA-256, and for the embedded model what it was trained on.
SAM 2's own checkpoints come without one; their hash is recorded at the first use and checked ever after.
"""

import json
import logging
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from uncertsam.base.checkout import DEFAULT, embedded
from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json, written_aside
from uncertsam.models.promptable import PromptableModel

CONFIGS = {  # name -> the configuration that ships inside sam2
    "sam2_tiny": "configs/sam2/sam2_hiera_t.yaml",
    "sam2_small": "configs/sam2/sam2_hiera_s.yaml",
    "sam2_base_plus": "configs/sam2/sam2_hiera_b+.yaml",
    "sam2_large": "configs/sam2/sam2_hiera_l.yaml",
    "sam2.1_tiny": "configs/sam2.1/sam2.1_hiera_t.yaml",
    "sam2.1_small": "configs/sam2.1/sam2.1_hiera_s.yaml",
    "sam2.1_base_plus": "configs/sam2.1/sam2.1_hiera_b+.yaml",
    "sam2.1_large": "configs/sam2.1/sam2.1_hiera_l.yaml",
}
NO_WEIGHTS = (
    SafetensorError, pickle.UnpicklingError, RuntimeError, LookupError, TypeError, ValueError, OSError, EOFError
)  # fmt: skip
log = logging.getLogger(__name__)


def names() -> tuple[str, ...]:
    """Of all models: those that come with the package, then Meta's."""
    return *embedded(), *CONFIGS


def load_model(name: str, weights: Path, device: torch.device) -> PromptableModel:
    """A model in evaluation mode. Raises UserError on an unknown name and on missing, altered or foreign weights."""
    network = build_network(name)
    digest = _checked_digest(weights)
    state = read_state(weights)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        detail = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(
            f"{weights} does not hold the weights of {name} ({detail[:160]}).",
            "Give a name and a file that belong together: `models` in params.yaml, or --name and --model in the shell.",
        ) from None
    _record(weights, name, digest)
    return PromptableModel(network.float().eval().to(device), name, digest, weights.absolute())


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
    """The architecture of a named model with fresh weights."""
    if name in embedded():
        from uncertsam.models.nano import NanoSam

        return NanoSam()
    if name not in CONFIGS:
        raise UserError(f"There is no model named {name!r}.", f"It is one of {', '.join(names())}.")
    from sam2.build_sam import build_sam2

    return build_sam2(CONFIGS[name], ckpt_path=None, device="cpu", apply_postprocessing=False)


def save_embedded(network: nn.Module, weights: Path, facts: dict[str, Any]) -> None:
    """Write half-precision weights and the manifest that names their hash and what they were trained on."""
    state = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    with written_aside(weights) as aside:
        save_file({k: v.contiguous() for k, v in state.items()}, aside)
    write_json(manifest_path(weights), {**facts, "name": DEFAULT, "sha256": sha256(weights)})


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
