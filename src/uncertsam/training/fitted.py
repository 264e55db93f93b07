"""Fitted parts on disk: files of tensors, and a manifest that says what they are and which model they belong to.

manifest.json      {"kind", "model", "model_sha256", "params", "libraries", "sha256": {file: hash}, facts of the kind}
NAME.safetensors   one or several
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json, written_aside

if TYPE_CHECKING:  # recording a run imports nothing heavy
    from torch import Tensor

    from uncertsam.models.promptable import PromptableModel

MANIFEST = "manifest.json"
Weights = Mapping[str, "Tensor"]
_COMMON: dict[str, Any] = {"kind": str, "model": str, "model_sha256": str, "params": dict, "sha256": (str, dict)}


@dataclass(frozen=True)
class FittedPart:
    """A kind of fitted part. again: how a user makes it anew. facts: what its manifest holds besides, with the type."""

    kind: str
    again: str
    facts: Mapping[str, type] = field(default_factory=dict)
    libraries: tuple[str, ...] = ("torch",)

    def save(
        self,
        folder: Path,
        model: str,
        digest: str,
        files: Mapping[str, Weights],
        facts: Mapping[str, Any],
        beside: Mapping[str, Path] | None = None,
    ) -> None:
        """Write `folder`, whole or not at all. digest: of the model's weights. beside: folders to copy into it."""
        from safetensors.torch import save_file

        with written_aside(folder) as aside:
            aside.mkdir()
            for name, weights in files.items():
                save_file({key: value.contiguous().cpu() for key, value in weights.items()}, aside / name)
            for name, other in (beside or {}).items():
                shutil.copytree(other, aside / name)
            about = {"kind": self.kind, "model": model, "model_sha256": digest}
            libraries = {name: version(name) for name in self.libraries}
            hashes = {name: sha256(aside / name) for name in files}
            write_json(aside / MANIFEST, {**facts, **about, "libraries": libraries, "sha256": hashes})

    def open(self, folder: Path | None, model: "PromptableModel") -> "_SavedPart":
        """What `save` wrote. Raises UserError where it is missing, broken, of another kind or of another model."""
        if folder is None:
            raise UserError(f"There is no fitted part of the kind {self.kind!r}.", self.again)
        found = read_manifest(folder, self.again)
        if found["kind"] != self.kind:
            raise UserError(f"{folder / MANIFEST} is not of the kind {self.kind!r}.", self.again)
        _check(folder / MANIFEST, found, self.facts, self.again)
        if found["model_sha256"] != model.digest:
            theirs, ours = _named(found["model"], found["model_sha256"]), _named(model.name, model.digest)
            raise UserError(f"{folder} was fitted on {theirs}, but the model is {ours}.", self.again)
        return _SavedPart(folder, found, self.again)


@dataclass(frozen=True)
class _SavedPart:
    """A part on disk that belongs to the model in use."""

    folder: Path
    manifest: Mapping[str, Any]
    again: str

    def weights(self, file: str, like: Weights) -> dict[str, "Tensor"]:
        """A file's tensors, on the CPU, which have the names and shapes of `like`.

        Raises UserError where they have not, and where the file is missing, changed or no safetensors.
        """
        path = self.folder / file
        found = self._read(path)
        there, wanted = ({name: [*tensor.shape] for name, tensor in one.items()} for one in (found, like))
        for name in sorted(there.keys() | wanted):
            if there.get(name) != wanted.get(name):
                told = f"{name} has the shape {there.get(name)}, not {wanted.get(name)}"
                raise UserError(f"{path} does not fit the model: {told}.", self.again)
        return found

    def _read(self, path: Path) -> dict[str, "Tensor"]:
        from safetensors.torch import load

        hashes = self.manifest["sha256"]
        # parts with a single file once had a single hash
        recorded = hashes if isinstance(hashes, str) else hashes.get(path.name)
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != recorded:
                raise UserError(f"{path} is not the file that its manifest describes.", self.again)
            return load(content)
        except FileNotFoundError:
            raise UserError(f"{path} is missing.", self.again) from None
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} cannot be read ({error}).", self.again) from None


def read_manifest(folder: Path, again: str) -> dict[str, Any]:
    """The manifest of a part of any kind. Raises UserError where it is missing or broken."""
    path = folder / MANIFEST
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", again) from None
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f"{path} is broken ({error}).", again) from None
    _check(path, found, _COMMON, again)
    return found


def _check(path: Path, manifest: Mapping[str, Any], facts: Mapping[str, type], again: str) -> None:
    lacking = [name for name, kind in facts.items() if not isinstance(manifest.get(name), kind)]
    if lacking:
        raise UserError(f"{path} is broken (it lacks {', '.join(lacking)}).", again)


def _named(name: str, digest: str) -> str:
    return f"{name} ({digest[:12]})"
