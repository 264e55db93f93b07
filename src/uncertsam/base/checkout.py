"""Where things lie: in a checkout of the repository, else in the package, which carries what the API needs."""

import re
from importlib.util import find_spec
from pathlib import Path

import uncertsam
from uncertsam.base.errors import UserError

PACKAGE = Path(uncertsam.__path__[0])
# links in a checkout, files in a wheel
CHECKPOINTS, PARAMS = PACKAGE / "checkpoints", PACKAGE / "params.yaml"
DEFAULT = "sam2_nano"


def is_checkout(folder: Path) -> bool:
    """Whether it is a root of this very project: params.yaml and dvc.yaml alone may be anybody's."""
    try:
        project = (folder / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
    return bool(re.search(r'^name = "uncertsam"$', project, re.MULTILINE)) and (folder / "dvc.yaml").is_file()


def checkout() -> Path | None:
    """The current folder where it is a checkout, else the one that this package is run from; None for a wheel."""
    places = [Path.cwd(), *([PACKAGE.parents[1]] if PACKAGE.parent.name == "src" else [])]
    return next(filter(is_checkout, places), None)


def home() -> Path:
    """Where downloaded weights are looked for: the checkout, else the current folder."""
    return checkout() or Path.cwd()


def fitted_here(model: str) -> Path:
    """Where a model's fitted parts are written and looked for: data/fitted/MODEL of the checkout, as the pipeline does.

    Elsewhere a folder with a name of our own: data/ may be anybody's.
    """
    folder = checkout()
    return (folder / "data" / "fitted" if folder else Path.cwd() / "uncertsam_fitted") / model


def needed(command: str, package: str | None = None) -> None:
    """Raises UserError where the current folder is no checkout, in which alone a command makes sense.

    package: that the command imports, and that an installation for predictions alone lacks.
    """
    if not is_checkout(Path.cwd()):
        raise UserError(
            f"`uncertsam {command}` works on a checkout of UncertSAM, and {Path.cwd()} is not the root of one.",
            "Change to its root folder, where pyproject.toml, dvc.yaml and profiles/ lie.",
        )
    if package and find_spec(package) is None:
        raise UserError(
            f"`uncertsam {command}` needs {package}, which is not installed.",
            "Run `make setup`, then `source .venv/bin/activate`.",
        )


def shipped(name: str) -> Path:
    """A file or folder of checkpoints/: of the checkout where it has it, else of the package."""
    folder = checkout()
    own = folder / "checkpoints" / name if folder else CHECKPOINTS / name
    return own if own.exists() else CHECKPOINTS / name


def embedded() -> tuple[str, ...]:
    """The models that come with the package, by the manifests beside their weights; the default one first."""
    ending = ".safetensors.json"
    names = {path.name.removesuffix(ending) for path in CHECKPOINTS.glob(f"*{ending}")}
    return DEFAULT, *sorted(names - {DEFAULT})
