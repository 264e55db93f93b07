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

from uncertsam import __version__
from uncertsam.errors import UserError
from uncertsam.files import remove, written_aside


class ResumeState:
    """One file per training run, named by a hash of what it depends on; removed when the run has succeeded.

    facts: any JSON value (parameters, data hashes). Another version of this package starts anew.
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
