"""A pre-training's state small enough for git, so that it goes on where its machine is gone: no optimiser moments.

state.json             {"leg", "step", "sha256": {file: hash}}
weights.safetensors    half precision: the network's
average.safetensors    half precision: their exponential average
"""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json, written_aside

PARTS = {"network": "weights.safetensors", "average": "average.safetensors"}


def write_snapshot(folder: Path, state: dict[str, Any]) -> None:
    """Keep leg, step, weights and average of a training state; half precision, whole or not at all."""
    with written_aside(folder) as aside:
        aside.mkdir(parents=True)
        for part, name in PARTS.items():
            save_file({key: _half(tensor) for key, tensor in state[part].items()}, aside / name)
        hashes = {name: sha256(aside / name) for name in PARTS.values()}
        write_json(aside / "state.json", {"leg": state["leg"], "step": state["step"], "sha256": hashes})


def read_snapshot(folder: Path) -> dict[str, Any] | None:
    """The state that was kept, in float32; None where there is no such folder. Raises UserError where it is broken."""
    if not folder.is_dir():
        return None
    try:
        facts = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        state: dict[str, Any] = {"leg": int(facts["leg"]), "step": int(facts["step"])}
        for part, name in PARTS.items():
            if sha256(folder / name) != facts["sha256"][name]:
                raise ValueError(f"{name} is another file than state.json describes")
            state[part] = {key: _float(tensor) for key, tensor in load_file(folder / name).items()}
        return state
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise UserError(
            f"{folder} is no training snapshot ({error}).", "Restore it, or delete it to start anew."
        ) from None


def _half(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous()


def _float(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
