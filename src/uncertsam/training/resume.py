"""Resumable training state: written whole or not at all, read only for the same parameters and data.

DVC deletes a stage's outputs before it reruns it, so the state lives outside of them.
"""

import errno
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import torch

import uncertsam
from uncertsam import __version__
from uncertsam.base.errors import UserError
from uncertsam.base.files import remove, sha256, written_aside


class ResumeState:
    """One file per training run, named by a hash of what it depends on; removed when the run has succeeded.

    facts: any JSON value (parameters, data hashes, `code_digest`). Another version of this package starts anew.
    """

    def __init__(self, folder: Path, name: str, facts: Any) -> None:
        text = json.dumps([__version__, facts], sort_keys=True)
        self.path = folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pt"

    def load(self) -> dict[str, Any] | None:
        """The last state, or None at a fresh start. Raises UserError where it is broken."""
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
            raise UserError(f"{self.path} cannot be read ({error}).", "Delete it to begin anew.") from None
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state. Raises OSError where the disk is full."""
        with written_aside(self.path) as aside:
            try:
                torch.save(state, aside)
            except RuntimeError as error:  # torch's word for it
                raise OSError(errno.EIO, str(error), str(self.path)) from error

    def clear(self) -> None:
        remove(self.path)


def code_digest(*parts: str) -> str:
    """One hash of the sources of these parts of the package, such as "training" or "models/nano.py"."""
    package = Path(uncertsam.__path__[0])
    files = [file for part in parts for file in sorted((package / part).rglob("*.py")) or [package / part]]
    return hashlib.sha256("".join(f"{file.name} {sha256(file)}\n" for file in files).encode()).hexdigest()
