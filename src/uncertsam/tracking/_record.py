"""What is kept of a run until it has been sent: one folder with run.json and copies of its artifacts."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from uncertsam.base.files import remove, write_json, written_aside
from uncertsam.tracking.models import Part, keep

SPOOL, MODELS = ".tracking", "models"
Status = Literal["FINISHED", "FAILED", "KILLED"]
Point = tuple[str, float, int, int]  # name, value, step, milliseconds since 1970


@dataclass(frozen=True)
class Group:
    """The parent run: one pipeline invocation. `key` is unique to it; runs with the same key share the parent."""

    key: str
    name: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """One run. `id` is unique and stays with it (MLflow tag `uncertsam.record`), so sending it twice makes one run.

    `started` and `ended` are milliseconds since 1970, `inputs` maps dataset names to digests, `parent` None is a run
    without a parent.
    """

    id: str
    name: str
    experiment: str
    started: int
    ended: int
    status: Status = "FINISHED"
    params: dict[str, str] = field(default_factory=dict)
    metrics: list[Point] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    parent: Group | None = None


def write(home: Path, record: Record, files: Mapping[str, Path | str], parts: Sequence[Part] = ()) -> Path:
    """Put `record` into the spool of `home`, whole or not at all, and return its folder.

    `files` maps places below `artifacts/` to a file or folder that is copied (its original may be gone when the run
    is sent), or to text. `parts` become MLflow models when it is sent.
    """
    with written_aside(home / SPOOL / record.id) as aside:
        aside.mkdir(parents=True)
        for place, content in files.items():
            _put(aside / "artifacts" / place, content)
        for part in parts:
            keep(part, aside / MODELS / part.name)
        write_json(aside / "run.json", asdict(record) | {"metrics": [_to_json(point) for point in record.metrics]})
    return home / SPOOL / record.id


def read(folder: Path) -> Record:
    """The record in `folder`. Raises OSError, ValueError, TypeError or KeyError where it is not one."""
    fields: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    parent = fields.pop("parent")
    points = [(name, float(value), step, time) for name, value, step, time in fields.pop("metrics")]
    return Record(**fields, metrics=points, parent=Group(**parent) if parent else None)


def waiting(home: Path) -> list[Path]:
    """The folders of the records that have not been sent, oldest first; those still being written do not count."""
    found = (path.parent for path in (home / SPOOL).glob("*/run.json"))
    return sorted(folder for folder in found if not folder.name.startswith("."))


def forget(folder: Path) -> None:
    """Take a sent record out of the spool. Without its run.json it is gone, wherever this is interrupted."""
    (folder / "run.json").unlink(missing_ok=True)
    remove(folder)


def flatten(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one with dotted keys: {"laplace": {"n": 10}} becomes {"laplace.n": 10}."""
    return dict(_leaves(values, prefix))


def flatten_text(values: Mapping[Any, Any]) -> dict[str, str]:
    """Nested params as MLflow keeps them: dotted keys, values as text."""
    return {name: str(value) for name, value in flatten(values).items()}


def _leaves(values: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _to_json(point: Point) -> list[str | float | int]:
    name, value, step, time = point
    return [name, value if math.isfinite(value) else str(value), step, time]  # JSON has no NaN


def _put(target: Path, content: Path | str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        target.write_text(content, encoding="utf-8")
    elif content.is_dir():
        shutil.copytree(content, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(content, target)
