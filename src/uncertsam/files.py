"""Nothing is half-written: write aside, then rename. And files are known by their hash."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield a path beside `target` for a file or a folder; rename it to `target` on success, remove it on failure."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # the last suffix is kept: several writers choose their format by it
    aside = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        yield aside
        remove(target) if target.is_dir() and not target.is_symlink() else None
        os.replace(aside, target)
    finally:
        remove(aside)


def remove(path: Path) -> None:
    """Delete a file or a folder; do nothing if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(target: Path, value: Any) -> None:
    """Write readable JSON with sorted keys, whole or not at all. NaN is refused: JSON has none."""
    with written_aside(target) as aside:
        aside.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
