"""Where the model, its parameters and its fitted parts come from, by name or by path."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uncertsam.base.checkout import PARAMS, checkout, embedded, fitted_here, home, shipped
from uncertsam.base.errors import UserError, suggestion
from uncertsam.config.params import FILE, Config, check

if TYPE_CHECKING:
    import torch

    from uncertsam.inference.algebra import Method
    from uncertsam.models.promptable import PromptableModel

CHECKPOINTS = Path("checkpoints")  # below a checkout, or the current folder
Sections = Mapping[str, Mapping[str, Any]]


def method_params(params: Sections | Path | None) -> tuple[Path, Sections]:
    """The parameters by method, and the file that they are from; None: the checkout's, else the package's own."""
    if isinstance(params, Mapping):
        return FILE, params
    path = params_file(params)
    return path, Config.read(path).entries


def params_file(path: Path | None = None) -> Path:
    """The file, None: the checkout's, else the package's own."""
    folder = checkout()
    own = folder / FILE if folder else PARAMS
    return path or (own if own.is_file() else PARAMS)


def load(name_or_path: str | Path, device: str, name: str | None = None) -> "PromptableModel":
    """A model by its name, or by the path of its weights. Raises UserError.

    name: which architecture a file holds, where neither its manifest nor its own name tells.
    """
    from uncertsam.models.checkpoints import load_model

    weights = Path(name_or_path)
    if weights.suffix and weights.is_file():
        name = _known(name) if name else _name_of(weights)
    elif name not in (None, str(name_or_path)):
        raise UserError(
            f"There is no file of weights {name_or_path}, and a name ({name}) is only for a file.",
            "Correct the path, or give the name of the model alone.",
        )
    else:
        name, weights = str(name_or_path), weights_of(str(name_or_path))
    if not weights.is_file():
        raise UserError(f"The weights {weights} are missing.", _fetched(name))
    return load_model(name, weights, _device_named(device))


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
    """Where the weights of a named model lie, or would after a download. Raises UserError on an unknown name."""
    published = _published()
    if name in embedded():
        return shipped(f"{name}.safetensors")
    if name not in published:
        problem = f"There is no model named {name!r}, and no file."
        raise UserError(problem, suggestion(name, [*embedded(), *published]))
    places = [folder / CHECKPOINTS / published[name] for folder in (home(), Path())]
    return next((place for place in places if place.is_file()), places[-1])


def _device_named(name: str) -> "torch.device":
    """The device; "auto" is a GPU by CUDA where there is one, else the CPU. Raises UserError where there is none."""
    import torch

    from uncertsam.models import checkpoints

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return checkpoints.device_named(name)
    except UserError as error:
        raise UserError(f"There is no device {name!r} here.", "Choose auto, cpu, cuda or mps.") from error


def build(
    name: str, model: "PromptableModel", fitted: Path | None, given: tuple[Path, Sections]
) -> tuple["Method", Any]:
    """A method, ready, and its parameters. Raises UserError on an unknown one, and where its fitted part is of no use.

    fitted: the folder of fitted parts, None as in `part_of`. given: a file, and its parameters by method; a method
    without any gets its own defaults.
    """
    from uncertsam.base.registry import load_method

    kind, (path, values) = load_method(name), given
    params = check(path, f"methods.{name}", values.get(name), kind.Params)
    part = part_of(kind.FITTED, model, fitted) if kind.FITTED else None
    if part is not None and not part.is_dir():
        raise UserError(f"The method {name} needs the fitted part {part}, which is missing.", _made(part, fitted))
    return kind.build(params, model, part), params


def part_of(name: str, model: "PromptableModel", fitted: Path | None = None) -> Path:
    """The folder of a fitted part, there or not. fitted: where it is looked for.

    None: what the pipeline or `uncertsam fit` made; where that is missing, the package's, if it has one that belongs
    to these very weights.
    """
    own = (fitted or fitted_here(model.name)) / name
    carried = shipped(f"fitted/{model.name}/{name}")
    return carried if fitted is None and not own.is_dir() and _belongs(carried, model) else own


def _belongs(part: Path, model: "PromptableModel") -> bool:
    from uncertsam.training.fitted import read_manifest

    return part.is_dir() and bool(read_manifest(part, _made(part, None))["model_sha256"] == model.digest)


def _made(part: Path, fitted: Path | None) -> str:
    """How a missing part is had."""
    if part.name == "laplace":
        out = f" --out {shlex.quote(str(fitted))}" if fitted else ""
        return f"Make it: `uncertsam fit{out}` with the same --model (seconds, on a synthetic world)."
    if checkout():
        return "Make it: `dvc repro`."
    return "`dvc repro` makes it, in a checkout of UncertSAM; then name that checkout's data/fitted/MODEL as --fitted."


def _fetched(name: str) -> str:
    """How missing weights are had."""
    if name in embedded():
        return "Restore them: `git checkout checkpoints` in a checkout, elsewhere a new installation of uncertsam."
    return f"Fetch them: uncertsam download {name} --out {CHECKPOINTS}"


def _published() -> dict[str, str]:
    """The file name of each of SAM 2's own checkpoints."""
    from uncertsam.data.raw.remote.sources import CHECKPOINTS as table

    return {name: file for name, _, file in table}


def _known(name: str) -> str:
    from uncertsam.models.checkpoints import names

    if name not in names():
        raise UserError(f"There is no model named {name!r}.", suggestion(name, [*names()]))
    return name


def _name_of(weights: Path) -> str:
    from uncertsam.models.checkpoints import read_manifest

    names = {file: name for name, file in _published().items()}
    name = read_manifest(weights).get("name") or names.get(weights.name)
    known = [*embedded(), *names.values()]
    if name not in known:
        raise UserError(
            f"{weights} does not say which model it holds.",
            f"Give its name (name= in Python, --name in the shell): one of {', '.join(known)}.",
        )
    return str(name)
