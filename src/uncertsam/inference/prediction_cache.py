"""The answers on one dataset, a method at a time: a changed method answers again, the others are kept.

Starting a process and writing the pipeline's record for every single cell would take longer than answering it. So one
stage answers for a dataset, and a cell is kept where everything that it was made from is what it was.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uncertsam
from uncertsam.base.files import remove, sha256
from uncertsam.base.registry import load_method

SHARED = (
    "base/rng.py",
    "data/format.py",
    "compute/shards.py",
    "metrics/uncertainty.py",
    "models/*.py",
    "inference/*.py",
    "methods/*/*.py",
)  # code that any method may use


@dataclass(frozen=True)
class PredictionCache:
    """`root` holds a cell per method, whose meta.json says under "made_from" what it was made from.

    facts: what all methods share (seed, split, hash of the model). files: what all of them read. fitted: the folder of
    fitted parts.
    """

    root: Path
    facts: Mapping[str, Any]
    files: Collection[Path]
    fitted: Path

    def holds(self, method: str, params: Mapping[str, Any]) -> bool:
        """Whether the method's cell is the one that it would write today with these parameters."""
        try:
            meta = json.loads((self.root / method / "meta.json").read_text(encoding="utf-8"))
            return bool(meta["made_from"] == self.origin(method, params))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def origin(self, method: str, params: Mapping[str, Any]) -> str:
        """One hash of parameters, data, model, fitted part and code."""
        told = [json.dumps([method, dict(params), dict(self.facts)], sort_keys=True)]
        told += [f"{path.name} {sha256(path)}" for path in [*self.files, *_code(method), *self._fitted_files(method)]]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def forget_others(self, methods: Collection[str]) -> None:
        """Remove what belongs to none of these methods."""
        for path in self.root.glob("*"):
            if path.name not in methods:
                remove(path)

    def part(self, method: str) -> Path | None:
        """The folder of the fitted part that the method reads, None where it reads none."""
        name = load_method(method).FITTED
        return self.fitted / name if name else None

    def _fitted_files(self, method: str) -> list[Path]:
        part = self.part(method)
        return sorted(path for path in part.rglob("*") if path.is_file()) if part else []


def _code(method: str) -> list[Path]:
    package = Path(uncertsam.__path__[0])
    return [path for pattern in (*SHARED, f"methods/{method}.py") for path in sorted(package.glob(pattern))]
