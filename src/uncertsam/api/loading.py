"""Where the model, its parameters and its fitted parts come from, by name or by path."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uncertsam
from uncertsam.errors import UserError, suggestion
from uncertsam.params import FILE, Params, check

if TYPE_CHECKING:
    import torch

    from uncertsam.sam.model import PromptableModel
    from uncertsam.uncertainty.core.algebra import Method

FITTED, CHECKPOINTS = Path("data/fitted"), Path("checkpoints")
Sections = Mapping[str, Mapping[str, Any]]


def home() -> Path:
    """The repository: the current folder where it is one, else the checkout that this package lies in."""
    here, checkout = Path.cwd(), Path(uncertsam.__path__[0]).parents[1]
    return next((folder for folder in (here, checkout) if _is_repository(folder)), here)


def sections(params: Sections | Path | None) -> tuple[Path, Sections]:
    """The parameters by section, and the file that they are from; of a repository that has none, none."""
    if isinstance(params, Mapping):
        return FILE, params
    path = params or home() / FILE
    return path, Params.read(path).values if params or path.is_file() else {}


def load(name_or_path: str | Path, device: str, name: str | None = None) -> "PromptableModel":
    """A model by its name, its weights in checkpoints/, or by the path of its weights. Raises UserError.

    name: which architecture a file holds, where neither its manifest nor its own name tells.
    """
    from uncertsam.sam.checkpoints import load_model

    weights = Path(name_or_path)
    if not weights.suffix or not weights.is_file():
        name, weights = str(name_or_path), weights_of(str(name_or_path))
    else:
        name = name or _name_of(weights)
    if not weights.is_file():
        mend = f"Fetch them: uncertsam download {name} --out {CHECKPOINTS}"
        raise UserError(f"The weights {weights} are missing.", mend)
    return load_model(name, weights, device_named(device))


def known_by(model: "PromptableModel") -> dict[str, str]:
    """By what another process finds the model: its file, name, SHA-256 and device. Raises UserError without a file."""
    if model.weights is None:
        mend = "Load it with from_pretrained, or name its file: wrap(predictor, weights=FILE)."
        raise UserError("The model has no file of weights that another process could load.", mend)
    return {"weights": str(model.weights), "name": model.name, "sha256": model.digest, "device": str(model.device)}


def found_by(known: Mapping[str, str]) -> "PromptableModel":
    """The model of `known_by`: its file, or where there is none here the model's name. Raises UserError on another."""
    there = Path(known["weights"]).is_file()
    model = load(known["weights"], known["device"], known["name"]) if there else load(known["name"], known["device"])
    if model.digest != known["sha256"]:
        raise UserError(f"{model.weights} holds other weights than where the predictor was made.", "Copy that file.")
    return model


def weights_of(name: str) -> Path:
    """Where the weights of a named model lie. Raises UserError on an unknown name."""
    from uncertsam.sam.checkpoints import EMBEDDED

    files = {EMBEDDED: f"{EMBEDDED}.safetensors"} | _published()
    if name not in files:
        problem = f"There is no model named {name!r}, and no file."
        raise UserError(problem, suggestion(name, files))
    return home() / CHECKPOINTS / files[name]


def device_named(name: str) -> "torch.device":
    """The device; "auto" is a GPU by CUDA where there is one, else the CPU. Raises UserError where there is none."""
    import torch

    from uncertsam.sam import checkpoints

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return checkpoints.device_named(name)
    except UserError as error:
        raise UserError(f"There is no device {name!r} here.", "Choose auto, cpu, cuda or mps.") from error


def build(name: str, model: "PromptableModel", fitted: Path, given: tuple[Path, Sections]) -> tuple["Method", Any]:
    """A method, ready, and its parameters. Raises UserError on an unknown one, and where its fitted part is of no use.

    given: the file of the parameters and its sections; a method without a section gets its own defaults.
    """
    from uncertsam.uncertainty import load_method

    kind, (path, values) = load_method(name), given
    params = check(path, name, values.get(name), kind.Params)
    part = fitted / kind.FITTED if kind.FITTED else None
    if part is not None and not part.is_dir():
        own = "`uncertsam fit` (seconds, on a synthetic world) or " if part.name == "laplace" else ""
        mend = f"Make it: {own}`dvc repro`."
        raise UserError(f"The method {name} needs the fitted part {part}, which is missing.", mend)
    return kind.build(params, model, part), params


def _published() -> dict[str, str]:
    """The file name of each of SAM 2's own checkpoints."""
    from uncertsam.data.remote.sources import CHECKPOINTS as table

    return {name: file for name, _, file in table}


def _name_of(weights: Path) -> str:
    from uncertsam.sam.checkpoints import NAMES, read_manifest

    names = {file: name for name, file in _published().items()}
    name = read_manifest(weights).get("name") or names.get(weights.name)
    if name not in NAMES:
        raise UserError(f"{weights} does not say which model it holds.", f"Give name=: one of {', '.join(NAMES)}.")
    return str(name)


def _is_repository(folder: Path) -> bool:
    return (folder / FILE).is_file() and (folder / "dvc.yaml").is_file()
