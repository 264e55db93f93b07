"""The methods there are, by the files and packages of `uncertsam.methods`, and how one is loaded by its name."""

import importlib
from pathlib import Path
from typing import Any

import uncertsam
from uncertsam.base.errors import UserError, suggestion


def method_names() -> list[str]:
    """The methods there are, sorted. Files are read, not imported: some of their neighbours import for seconds."""
    root = Path(uncertsam.__file__).parent / "methods"
    files = {f.stem: f for f in root.glob("*.py")} | {f.parent.name: f for f in root.glob("*/__init__.py")}
    return sorted(name for name, file in files.items() if "\ndef build(" in file.read_text(encoding="utf-8"))


def load_method(name: str) -> Any:
    """The module of one method. Raises UserError on an unknown name.

    It has `Params` (a pydantic model of the method's section of the parameters), `FITTED` (the name of the fitted part
    that it reads, or None) and `build(params, model, fitted) -> Method`.
    """
    if name not in method_names():
        raise UserError(f"There is no method {name!r}.", suggestion(name, method_names()))
    return importlib.import_module(f"uncertsam.methods.{name}")
