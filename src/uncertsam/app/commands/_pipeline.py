"""`uncertsam evaluate` and `uncertsam report`: the pipeline's own stages by their names, and nothing else."""

import subprocess
import sys

from uncertsam.base.checkout import needed
from uncertsam.base.errors import UserError


def repro(command: str, stage: str) -> None:
    """Run `dvc repro STAGE` in the current checkout for one of our commands, its output as it comes.

    Raises UserError elsewhere, without DVC, and where it does not end well.
    """
    needed(command, "dvc")
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", stage], check=False)
    if done.returncode:
        raise UserError(f"dvc repro {stage} ended with exit code {done.returncode}.", "What went wrong stands above.")
