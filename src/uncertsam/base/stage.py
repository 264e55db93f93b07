"""How a process is started: a stage's arguments are the paths that `dvc.yaml` gives it, errors are one sentence."""

import argparse
import inspect
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from uncertsam.base.errors import UserError, printable
from uncertsam.base.files import odd_name

PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}


def wait_passively() -> None:
    """Let OpenMP's threads sleep at a barrier instead of spinning, unless the environment says how they wait.

    A spinning thread keeps a core from the one that it waits for, wherever another process is at work. OpenMP reads
    this once, when torch is loaded: call it before that, in a process that is yours.
    """
    if not PASSIVE.keys() & os.environ.keys():
        os.environ.update(PASSIVE)


def run_stage(main: Callable[..., None], argv: list[str] | None = None) -> None:
    """Call `main` with one `--option` per parameter; those with a default may be left out.

    A UserError is printed without traceback, exit code 1.
    """
    wait_passively()
    if main.__module__ == "__main__":  # else stages/tabulate.py hides a library of that name
        scripts = str(Path(inspect.getfile(main)).resolve().parent)
        sys.path[:] = [entry for entry in sys.path if entry != scripts]
    guarded(main, **vars(_parser(main).parse_args(argv)))


def _parser(main: Callable[..., None]) -> argparse.ArgumentParser:
    parser, hints = argparse.ArgumentParser(description=inspect.getdoc(main)), get_type_hints(main)
    for name, parameter in inspect.signature(main).parameters.items():
        kind = next((t for t in get_args(hints[name]) if t is not NoneType), hints[name])
        flag, optional = f"--{name.replace('_', '-')}", parameter.default is not parameter.empty
        if kind is bool:
            parser.add_argument(flag, action="store_true")
        else:
            parser.add_argument(flag, type=kind, required=not optional)
    return parser


def guarded(call: Callable[..., Any], **arguments: Any) -> None:
    """Run `call`; whatever a user can correct ends as one line on stderr and exit code 1, Ctrl-C as 130.

    What a terminal cannot show (its encoding, a name that is no text) is escaped there.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        call(**arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("interrupted: nothing was half-written; run again to go on", file=sys.stderr)
        sys.exit(130)
    except UnicodeEncodeError as error:  # native writers take paths in UTF-8 only
        sys.exit(f"error: {odd_name(error.object)}")
    except MemoryError as error:
        sys.exit(f"error: memory ran out ({error}). Close other programs, or leave the largest images out, run again.")
    except OSError as error:
        what = f"{error.filename or 'a file'}: {error.strerror or error}"
        sys.exit(f"error: {printable(what)}. Free space, or fix the path or its permissions, run again.")
