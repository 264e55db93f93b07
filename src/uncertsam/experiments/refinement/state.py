"""Trained fusion modules of one arm on disk: their tensors, and a manifest that says what they belong to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json, written_aside
from uncertsam.experiments.refinement.fusion import Fusion, width_of
from uncertsam.models.promptable import PromptableModel

KIND = "uncertsam dense embedding fusion, version 1"
EVERY = "every domain"  # the fold of an arm that leaves nothing out
TENSORS, LAST, MANIFEST = "fusion.safetensors", "last.safetensors", "manifest.json"
AGAIN = "Run the train_fusion stage of this arm again."

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class FusionState:
    """The modules of one arm. params: of the training. folds: by the dataset that each has not seen, or `EVERY`."""

    arm: str
    params: dict[str, Any]
    folds: Mapping[str, Fusion]

    def unseen(self, dataset: str) -> Fusion:
        """The module that has not seen `dataset`. Raises UserError where there is none."""
        fold = dataset if dataset in self.folds else EVERY
        if fold not in self.folds:
            raise UserError(f"No fusion module of {self.arm} was trained without {dataset}.", AGAIN)
        return self.folds[fold]


def save(
    folder: Path,
    arm: str,
    model: PromptableModel,
    params: Mapping[str, Any],
    folds: Mapping[str, Weights],
    facts: Mapping[str, Any],
    last: Mapping[str, Weights] | None = None,
) -> None:
    """Write `folder`, whole or not at all. facts: what it was trained on, and how that went, per fold.

    folds: the best weights. last: those at the end of training, kept beside them and never read here.
    """
    with written_aside(folder) as aside:
        aside.mkdir()
        save_file(_named(folds), aside / TENSORS)
        if last is not None:
            save_file(_named(last), aside / LAST)
        manifest = {
            "kind": KIND,
            "arm": arm,
            "model": model.name,
            "model_sha256": model.digest,
            "width": width_of(model),
            "params": dict(params),
            "folds": {fold: facts[fold] for fold in folds},
            "libraries": {"torch": version("torch")},
            "sha256": sha256(aside / TENSORS),
        }
        write_json(aside / MANIFEST, manifest)


def _named(folds: Mapping[str, Weights]) -> dict[str, Tensor]:
    return {f"{fold}/{name}": value.contiguous().cpu() for fold, w in folds.items() for name, value in w.items()}


def load(folder: Path, arm: str, model: PromptableModel) -> FusionState:
    """Read what `save` wrote. Raises UserError where it is missing, broken, changed, of another arm or model."""
    manifest, path = _read_manifest(folder / MANIFEST), folder / TENSORS
    if not path.exists() or sha256(path) != manifest["sha256"]:
        raise UserError(f"{path} is not the file that its manifest describes.", AGAIN)
    if manifest["arm"] != arm:
        raise UserError(f"{folder} holds the arm {manifest['arm']}, not {arm}.", AGAIN)
    if manifest["model_sha256"] != model.digest or manifest["width"] != width_of(model):
        theirs = f"{manifest['model']} ({manifest['model_sha256'][:12]}, width {manifest['width']})"
        ours = f"{model.name} ({model.digest[:12]}, width {width_of(model)})"
        raise UserError(f"{folder} was trained on {theirs}, but the model is {ours}.", AGAIN)
    return FusionState(arm, manifest["params"], _modules(path, list(manifest["folds"]), model))


def _modules(path: Path, folds: list[str], model: PromptableModel) -> dict[str, Fusion]:
    tensors, modules = load_file(path), {}
    for fold in folds:
        module = Fusion(width_of(model))
        own = {name.removeprefix(f"{fold}/"): t for name, t in tensors.items() if name.startswith(f"{fold}/")}
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            detail = str(error).splitlines()[-1].strip()
            raise UserError(f"{path} does not hold a fusion module ({detail}).", AGAIN) from None
        modules[fold] = module.to(model.device).eval().requires_grad_(False)
    return modules


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if manifest["kind"] != KIND:
            raise ValueError(f"its kind is {manifest['kind']!r}")
        missing = {"arm", "model", "model_sha256", "width", "params", "folds", "sha256"} - manifest.keys()
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", AGAIN) from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is broken ({error}).", AGAIN) from None
    return manifest
