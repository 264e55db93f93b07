"""What there is, by the files of a package: methods, and how one is loaded by its name; kinds of models."""

import importlib
from pathlib import Path
from typing import Any

import uncertsam
from uncertsam.base.errors import UserError, suggestion


def modules_defining(package: str, function: str) -> list[str]:
    """The files of a package of ours that define a function, sorted. Files are read, as some import for seconds."""
    files = (Path(uncertsam.__file__).parent / package).glob("*.py")
    return sorted(f.stem for f in files if f"\ndef {function}(" in f.read_text(encoding="utf-8"))


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
