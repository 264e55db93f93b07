"""Nothing is half-written: write aside, then rename. And files are known by their hash."""

import errno
import hashlib
import json
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from uncertsam.base.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` for a file or a folder; rename it to `target` on success, remove it on failure."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # the last suffix is kept: several writers choose their format by it
    aside = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        yield aside
        with _undisturbed():
            remove(target) if aside.is_dir() and target.is_dir() and not target.is_symlink() else None
            os.replace(aside, target)
    except (OSError, SafetensorError) as error:
        raise _of(target, error, aside) from error
    finally:
        with _undisturbed():
            remove(aside)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done. (Only the main thread is ever disturbed.)"""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if held:
            signal.raise_signal(signal.SIGINT)


def _of(target: Path, error: Exception, aside: Path) -> Exception:
    """What a full disk says, as an OSError that names the target and not the file beside it.

    Some writers name no file, and safetensors has an error of its own.
    """
    if not isinstance(error, OSError):
        return OSError(errno.EIO, str(error), str(target))
    name = str(error.filename or target)
    return OSError(error.errno or errno.EIO, error.strerror or str(error), name.replace(str(aside), str(target)))


def read_table(path: Path, mend: str, columns: list[str] | None = None) -> "pd.DataFrame":
    """A Parquet table (some columns of it). Raises UserError where it is missing, broken or lacks one of them."""
    import pandas as pd

    try:
        return pd.read_parquet(path, columns=columns)
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", mend) from None
    except (OSError, ValueError, LookupError, TypeError, NotImplementedError) as error:
        raise UserError(f"{path} cannot be read ({error}).", mend) from None


def remove(path: Path) -> None:
    """Delete a file or a folder; do nothing if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_json(path: Path, mend: str) -> Any:
    """What a JSON file holds. Raises UserError where it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", mend) from None


def write_json(target: Path, value: Any) -> None:
    """Write readable JSON with sorted keys, whole or not at all. NaN is refused: JSON has none."""
    with written_aside(target) as aside:
        aside.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def refuse_odd_names(root: Path) -> None:
    """Raise UserError where `root` or a name below it is no UTF-8: DVC and Parquet take no other names."""
    for folder, folders, names in os.walk(root):
        for path in (os.path.join(os.path.abspath(folder), name) for name in ("", *folders, *names)):
            try:
                path.encode()
            except UnicodeEncodeError:
                raise odd_name(path) from None


def odd_name(path: str) -> UserError:
    """Why a name that could not be encoded cannot be used: it is no UTF-8, or the locale is not."""
    try:
        path.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return UserError(f"The name {path[:300]} is not in UTF-8.", "Rename it, for instance in letters a to z.")
    return UserError(f"The locale is too narrow for {path[:300]}.", "Set the environment variable LC_ALL=C.UTF-8.")


def encoded(picture: "np.ndarray", suffix: str, options: Sequence[int] = ()) -> bytes:
    """A picture [h,w] or, blue first, [h,w,3] as a file's bytes. OpenCV's own writer crashes on names not in UTF-8."""
    import cv2

    done, content = cv2.imencode(suffix, picture, list(options))
    if not done:
        raise OSError(errno.EIO, f"a picture could not be written as {suffix}")
    return bytes(content)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
