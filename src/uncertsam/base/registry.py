"""What there is, by the files of a package: methods, and how one is loaded by its name; kinds of models."""

import importlib
from pathlib import Path
from typing import Any

import uncertsam
from uncertsam.base.errors import UserError, suggestion


def modules_defining(package: str, function: str) -> list[str]:
    """The files and packages in a package of ours that define a function, sorted. They are read, not imported."""
    root = Path(uncertsam.__file__).parent / package
    files = {f.stem: f for f in root.glob("*.py")} | {f.parent.name: f for f in root.glob("*/__init__.py")}
    return sorted(name for name, file in files.items() if f"\ndef {function}(" in file.read_text(encoding="utf-8"))


def method_names() -> list[str]:
    """The methods there are, sorted."""
    return modules_defining("methods", "build")


def load_method(name: str) -> Any:
    """The module of one method. Raises UserError on an unknown name.

    It has `Params` (a pydantic model of the method's section of the parameters), `FITTED` (the name of the fitted part
    that it reads, or None) and `build(params, model, fitted) -> Method`.
    """
    if name not in method_names():
        raise UserError(f"There is no method {name!r}.", suggestion(name, method_names()))
    return importlib.import_module(f"uncertsam.methods.{name}")
