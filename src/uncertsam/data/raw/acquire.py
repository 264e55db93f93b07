"""Raw data in place, with an inventory: the first stage. Sets are generated here or lie on this machine already;
`uncertsam.data.raw.remote.published` downloads them.

`inventory.json` is {"root", "synthetic", "files": {relative path: SHA-256}}. `root` is "." where the files are beside
it, else the folder as it was given.
"""

import importlib
import os
import pkgutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tqdm import tqdm

from uncertsam.base.errors import UserError, checked_options
from uncertsam.base.files import read_json, sha256, write_json, written_aside
from uncertsam.data.raw import worlds

INVENTORY = "inventory.json"


@dataclass(frozen=True)
class Inventory:
    """The files of one raw dataset; `files` maps a path relative to `root`, with forward slashes, to its SHA-256."""

    root: str
    synthetic: bool
    files: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Inventory":
        """Read `folder`/inventory.json. Raises UserError where it is missing or broken."""
        path = folder / INVENTORY
        try:
            return cls(**read_json(path, "Run the acquire stage."))
        except TypeError as error:
            raise UserError(f"{path} is not an inventory ({error}).", "Run the acquire stage again.") from None

    def location(self, folder: Path) -> Path:
        """Where the files are, for the inventory in `folder`."""
        return folder if self.root == "." else Path(self.root)

    def verify(self, folder: Path) -> None:
        """Hash every file again. Raises UserError naming the first that is lost or differs."""
        for name, expected in tqdm(self.files.items(), desc="verify", unit="file", disable=None):
            path = self.location(folder) / name
            if not path.is_file():
                raise UserError(f"{path} is missing.", "Restore it, or run the acquire stage again.")
            if sha256(path) != expected:
                raise UserError(f"{path} changed since it was acquired.", "Restore it, or run the acquire stage again.")


def generate(world: str, options: dict[str, Any], out: Path) -> None:
    """Generate a synthetic world with `options` (its `Params`) into the folder `out`, whole or not at all.

    Raises UserError on a world or an option that does not exist, and rather than replace a folder of other data.
    """
    module = _world(world)
    params = checked_options(module.Params, options, f"data.{out.name}.options.{{}}", f"The world {world}")
    refuse_other_data(out)
    with written_aside(out) as aside:
        aside.mkdir()
        module.generate(aside, params)
        write_json(aside / INVENTORY, asdict(Inventory(".", True, hashed(aside))))


def local(root: Path, out: Path) -> None:
    """Take stock of data that is on this machine: hash every file below `root`, write only `out`/inventory.json.

    Hidden files are left out. Raises UserError where `root` is missing or empty, holds `out`, or has links out of it.
    """
    key = f"data.{out.name}.source"
    if not root.is_dir():
        raise UserError(f"{key}: there is no folder {root}.", "Name the folder that holds the raw data.")
    if out.resolve().is_relative_to(root.resolve()):
        raise UserError(f"{key}: {root} holds the output folder {out}.", "Name a folder with nothing but raw data.")
    files = hashed(root)
    if not files:
        raise UserError(f"{key}: {root} has no files.", "Name the folder that holds the raw data.")
    write_json(out / INVENTORY, asdict(Inventory(str(root), False, files)))


def refuse_other_data(out: Path) -> None:
    """Raise UserError where `out` holds anything but a raw set of this project."""
    if out.exists() and any(out.iterdir()) and not (out / INVENTORY).is_file():
        raise UserError(f"{out} holds other files.", "Name a new folder, or remove it.")


def hashed(root: Path) -> dict[str, str]:
    """SHA-256 by relative path, of every file below `root` that is not hidden, in sorted order."""
    try:
        paths = tqdm(sorted(_files(root)), desc="hash", unit="file", disable=None)
        return {p.relative_to(root).as_posix(): sha256(p) for p in paths}
    except OSError as error:
        raise UserError(
            f"{error.filename} cannot be read ({error.strerror}).", "Make it readable, or remove it."
        ) from None


def _world(name: str) -> ModuleType:
    names = sorted(module.name for module in pkgutil.iter_modules(worlds.__path__))
    if name not in names:
        raise UserError(f"There is no synthetic world {name!r}.", f"Choose one of {', '.join(names)}.")
    return importlib.import_module(f"{worlds.__name__}.{name}")


def _files(root: Path) -> Iterator[Path]:
    """Regular files below `root`, by any link that stays inside; linked folders are met where they really are."""
    for folder, folders, names in os.walk(root, onerror=_raised):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for path in (Path(folder, n) for n in [*folders, *names] if not n.startswith(".")):
            if path.is_symlink() and not _stays(path, root):
                raise UserError(f"{path} is a link out of {root}, or leads nowhere.", "Put a copy there, or remove it.")
            if path.is_file():
                yield path


def _raised(error: OSError) -> None:
    raise error


def _stays(link: Path, root: Path) -> bool:
    return link.exists() and link.resolve().is_relative_to(root.resolve())
