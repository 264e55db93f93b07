"""`uncertsam evaluate` and `uncertsam report`: the pipeline's own stages by their names, and nothing else."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from uncertsam.errors import UserError


def repro(*words: str) -> None:
    """Run `dvc repro` in the current folder, its output as it comes. Raises UserError where it does not end well."""
    if not Path("dvc.yaml").is_file():
        raise UserError("There is no dvc.yaml here.", "Run from the repository's root.")
    if find_spec("dvc") is None:
        raise UserError("DVC is not installed.", "Set the environment up with `make setup`, then activate .venv.")
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", *words], check=False)
    if done.returncode:
        raise UserError(
            f"dvc repro {' '.join(words)} ended with exit code {done.returncode}.", "What went wrong stands above."
        )
