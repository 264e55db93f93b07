"""Fitted and trained parts as MLflow models: with a signature, and loadable without this pipeline's folders.

`mlflow.pyfunc.load_model(...).predict({name: array, ...})` answers as the part does inside its method:

fusion             mask [n, c, h, w], uncertainty [n, 1, 4h, 4w] -> dense embedding [n, c, h, w]
variance network   source [n, c, h, w], tokens [n, t, c] -> log-variances [n, k, 4h, 4w]
last-layer laplace hidden [n, d] -> variances of the last layer's outputs [n, c]; of a model with one head
usam heads         latent [n, w] -> expected IoUs and gains [n, heads], in the order of the manifest's "names"
"""

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uncertsam.training.fitted import MANIFEST

if TYPE_CHECKING:
    import numpy as np  # recording a run imports nothing heavy

CARD = "model.json"
FUSION, VARIANCE, LAPLACE, USAM = "dense embedding fusion", "variance network", "last-layer laplace", "usam heads"
Arrays = Mapping[str, "np.ndarray"]


@dataclass(frozen=True)
class Part:
    """One model of a run: the folder of a fitted part, and which of its weights (`file`, `fold`) are meant."""

    name: str
    folder: Path
    file: str
    fold: str = ""


def keep(part: Part, target: Path) -> None:
    """Copy what `pack` needs into `target`."""
    target.mkdir(parents=True)
    for name in (MANIFEST, part.file):
        shutil.copyfile(part.folder / name, target / name)
    card = {"file": part.file, "fold": part.fold}
    (target / CARD).write_text(json.dumps(card), encoding="utf-8")


def pack(kept: Path, target: Path) -> None:
    """Write the MLflow model `target` from what `keep` wrote. Raises ValueError on a part of another kind."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import save_model
    from mlflow.types import Schema, TensorSpec

    manifest, _ = _read(kept)
    inputs, output = _shapes(manifest)
    specs: list[Any] = [TensorSpec(np.dtype(np.float32), (-1, *shape), name) for name, shape in inputs.items()]
    signature = ModelSignature(Schema(specs), Schema([TensorSpec(np.dtype(np.float32), (-1, *output))]))
    with warnings.catch_warnings():  # the signature is written out: no example is needed to guess it
        warnings.filterwarnings("ignore", ".*An input example was not provided", UserWarning)
        save_model(
            str(target),
            loader_module=__name__,
            data_path=str(kept),
            signature=signature,
            pip_requirements=["uncertsam"],
            metadata={"kind": manifest["kind"], "model": manifest["model"], "model_sha256": manifest["model_sha256"]},
        )


@dataclass(frozen=True)
class _Loaded:
    """What MLflow calls; float32 arrays in, a float32 array out."""

    answer: "Callable[[Arrays], np.ndarray]"

    def predict(self, model_input: Arrays, params: Mapping[str, Any] | None = None) -> "np.ndarray":
        return self.answer(model_input)


def _load_pyfunc(path: str) -> _Loaded:
    """Found by MLflow by its name."""
    manifest, card = _read(Path(path))
    loaders = {FUSION: _fusion, VARIANCE: _variance, LAPLACE: _laplace, USAM: _usam}
    return _Loaded(loaders[_kind(manifest)](Path(path), manifest, card))


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    manifest, card = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (MANIFEST, CARD))
    return manifest, card


def _kind(manifest: Mapping[str, Any]) -> str:
    for kind in (FUSION, VARIANCE, LAPLACE, USAM):
        if kind in manifest["kind"]:
            return kind
    raise ValueError(f"no model is known of the kind {manifest['kind']!r}")


def _shapes(manifest: Mapping[str, Any]) -> tuple[dict[str, tuple[int, ...]], tuple[int, ...]]:
    """Of one item: the inputs by name, and the output. -1 is any size."""
    kind, width = _kind(manifest), int(manifest.get("width", -1))
    if kind == FUSION:
        return {"mask": (width, -1, -1), "uncertainty": (1, -1, -1)}, (width, -1, -1)
    if kind == VARIANCE:
        return {"source": (width, -1, -1), "tokens": (-1, width)}, (-1, -1, -1)
    if kind == USAM:
        return {"latent": (width,)}, (len(manifest["names"]),)
    return {"hidden": (-1,)}, (-1,)


def _fusion(folder: Path, manifest: Mapping[str, Any], card: Mapping[str, str]) -> "Callable[[Arrays], np.ndarray]":
    from safetensors.torch import load_file

    from uncertsam.experiments.refinement.fusion import Fusion, of_fold

    module = Fusion(manifest["width"])
    module.load_state_dict(of_fold(load_file(folder / card["file"]), card["fold"]))
    return _called(module, "mask", "uncertainty")


def _variance(folder: Path, manifest: Mapping[str, Any], card: Mapping[str, str]) -> "Callable[[Arrays], np.ndarray]":
    from safetensors.torch import load_file

    from uncertsam.methods.variance.network import TOKENS, VarianceNetwork

    network = VarianceNetwork(manifest["width"], 1 if manifest["params"]["token"] == 0 else TOKENS)
    network.load_state_dict(load_file(folder / card["file"]))
    return _called(network, "source", "tokens")


def _laplace(folder: Path, manifest: Mapping[str, Any], card: Mapping[str, str]) -> "Callable[[Arrays], np.ndarray]":
    from safetensors.torch import load_file

    from uncertsam.methods.posterior.state import LaplaceState

    state = LaplaceState.of(manifest, load_file(folder / card["file"]))
    return _called(lambda hidden: state.output_variance([hidden])[0], "hidden")


def _usam(folder: Path, manifest: Mapping[str, Any], card: Mapping[str, str]) -> "Callable[[Arrays], np.ndarray]":
    from safetensors.torch import load_file

    from uncertsam.methods.usam.heads import Heads

    heads = Heads(manifest["names"], manifest["width"], manifest["offset"])
    heads.load_state_dict(load_file(folder / card["file"]))
    return _called(lambda latent: heads(latent) - heads.shift, "latent")


def _called(function: Callable[..., Any], *names: str) -> "Callable[[Arrays], np.ndarray]":
    """`function` on arrays instead of tensors."""
    import numpy as np
    import torch

    def answer(inputs: Arrays) -> "np.ndarray":
        tensors = [torch.from_numpy(np.ascontiguousarray(inputs[name], dtype=np.float32)) for name in names]
        with torch.inference_mode():
            found: np.ndarray = function(*tensors).float().numpy()
        return found

    return answer
