"""Where a stage runs, and what is known about that place: settings, git, DVC."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from uncertsam.base.errors import UserError
from uncertsam.config.params import FILE, check
from uncertsam.config.sections import Tracking

# the state of the code: these three change while the pipeline runs, and are recorded by other means
NOT_CODE = (":!params.yaml", ":!dvc.lock", ":!reports")


@dataclass(frozen=True)
class Place:
    """`workspace` is what the stage reads (a temporary copy under `dvc exp run --temp`); `home` outlives it."""

    workspace: Path
    home: Path


def locate(root: Path | None = None) -> Place:
    """The workspace above the current folder, and the repository that owns it. `root` overrides both.

    DVC runs experiments in a temporary copy that it deletes afterwards, and exports the real root as $DVC_ROOT.
    Raises UserError outside of a repository.
    """
    if root is not None:
        return Place(Path(root).resolve(), Path(root).resolve())
    here = Path.cwd()
    marked = (folder for folder in (here, *here.parents) if _is_marked(folder))
    workspace = next(marked, None)
    owner = os.environ.get("DVC_ROOT") or workspace
    if owner is None:
        raise UserError(
            f"{here} has neither params.yaml nor .git, nor has any folder above it.", "Run it in the repository."
        )
    return Place(workspace or here, Path(owner).resolve())


def repository_root() -> Path:
    """The repository that the runs belong to: $DVC_ROOT, else the nearest folder with params.yaml or .git."""
    return locate().home


def default_uri(home: Path) -> str:
    """The MLflow store: $MLFLOW_TRACKING_URI, else a SQLite file at the repository root (never in a temporary copy)."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(home / "mlflow.db")


def sqlite_uri(path: Path) -> str:
    """The URL of a SQLite file, in which a path's `%` and `?` are quoted.

    Such a URL names the driver too: from one that begins with `sqlite:///` MLflow makes a folder by the quoted name.
    """
    plain = str(path)
    quoted = re.sub("[%?]", lambda found: f"%{ord(found[0]):02X}", plain)
    return f"sqlite:///{plain}" if quoted == plain else f"sqlite+pysqlite:///{quoted}"


def sqlite_file(uri: str) -> Path | None:
    """The file that such a URL names; None for another kind of store."""
    kind, _, path = uri.partition(":///")
    return Path(unquote(path.partition("?")[0])) if kind in ("sqlite", "sqlite+pysqlite") else None


def read_params(workspace: Path) -> dict[str, Any]:
    """params.yaml as nested dicts; {} where there is none."""
    return read_yaml(workspace / "params.yaml")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping; {} where there is no file. Raises UserError where it is not one.

    By the C loader: Python's own takes a second for a lock of 170 stages.
    """
    import yaml

    if not path.is_file():
        return {}
    try:
        content = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) or {}
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}.", "Correct it, or restore it with git.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a mapping.", "Write `name: value` lines, or restore it with git.")
    return content


def read_settings(params: Mapping[str, Any]) -> Tracking:
    """The section `tracking`, off where $MLFLOW_DISABLED says so. Raises UserError for an unknown or wrong key."""
    section = check(FILE, "tracking", params.get("tracking"), Tracking)
    forbidden = os.environ.get("MLFLOW_DISABLED", "").lower() in {"1", "true", "yes", "on"}
    experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or section.experiment
    return section.model_copy(update={"enabled": section.enabled and not forbidden, "experiment": experiment})


def git_tags(workspace: Path) -> dict[str, str]:
    """`git.sha` and `git.dirty` (tracked code differs from that commit); {} outside of git or before any commit."""
    sha = _git(workspace, "rev-parse", "HEAD")
    if not sha:
        return {}
    changes = _git(workspace, "status", "--porcelain", "--untracked-files=no", "--", ".", *NOT_CODE)
    # the last one is MLflow's own key, which its UI shows as the version
    return {"git.sha": sha, "git.dirty": str(bool(changes)).lower(), "mlflow.source.git.commit": sha}


def dvc_tags() -> dict[str, str]:
    """What DVC tells its stages: `dvc.stage`, and in an experiment `dvc.exp` and `dvc.baseline_rev`."""
    names = {"dvc.stage": "DVC_STAGE", "dvc.exp": "DVC_EXP_NAME", "dvc.baseline_rev": "DVC_EXP_BASELINE_REV"}
    return {tag: os.environ[name] for tag, name in names.items() if os.environ.get(name)}


def profile_tags(params: Mapping[str, Any]) -> dict[str, str]:
    """The profile that params.yaml was made from, where it says so (`profile` or `base.profile`)."""
    base = params.get("base")
    profile = params.get("profile") or (base.get("profile") if isinstance(base, dict) else None)
    return {"profile": str(profile)} if profile else {}


def dataset_digest(workspace: Path, dataset: str) -> str | None:
    """The MD5 in dvc.lock of what `preprocess@<dataset>` wrote, None where it is not locked.

    Found as text: parsing the whole lock in every stage would cost more than the stage's own bookkeeping.
    """
    lock = workspace / "dvc.lock"
    text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    stage = re.search(rf"^  preprocess@{re.escape(dataset)}:\n(.*?)(?=^  \S|\Z)", text, re.MULTILINE | re.DOTALL)
    out = stage and re.search(r"^    outs:\n.*?^      md5: (\S+)", stage[1], re.MULTILINE | re.DOTALL)
    return out[1] if out else None


def _is_marked(folder: Path) -> bool:
    return (folder / "params.yaml").exists() or (folder / ".git").exists()


def _git(workspace: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=workspace, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
