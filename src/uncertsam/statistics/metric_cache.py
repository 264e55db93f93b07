"""The measures of one dataset, a method at a time: a changed method is measured again, the others are kept.

Starting a process and writing the pipeline's record for every single cell would take longer than measuring it. So one
stage measures a dataset, and a cell is kept where maps, truth and the code of the metrics are those it was made from.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import uncertsam.metrics
from uncertsam.base.files import remove, sha256, write_json
from uncertsam.metrics.measure import Measures
from uncertsam.statistics.curves import CURVES
from uncertsam.statistics.table import RESULTS, at_default

ENDINGS = (".parquet", ".curves.parquet", ".json")


@dataclass(frozen=True)
class MetricCache:
    """`root` holds METHOD.parquet, METHOD.curves.parquet and METHOD.json, what they were made from.

    predictions: of one dataset, a folder per method. truth: its reported split.
    """

    root: Path
    predictions: Path
    truth: Path

    def holds(self, method: str) -> bool:
        """Whether the method's measures are those of its maps today."""
        table, curves, origin = self._files(method)
        if not (table.is_file() and curves.is_file() and origin.is_file()):
            return False
        try:
            made_from = json.loads(origin.read_text(encoding="utf-8"))["made_from"]
        except (ValueError, KeyError, TypeError):
            return False
        return bool(made_from == self.origin(method))

    def write(self, method: str, found: Measures) -> None:
        """Write a method's measures; what they were made from comes last, so that half of it counts as nothing."""
        table, curves, origin = self._files(method)
        remove(origin)
        RESULTS.write(table, found.table)
        CURVES.write(curves, found.curves)
        write_json(origin, {"made_from": self.origin(method)})

    def means(self, method: str) -> dict[str, float]:
        """Metric -> mean over masks, on the whole image."""
        table = at_default(pd.read_parquet(self._files(method)[0]))
        means = table[table["region"] == "full"].groupby("metric")["value"].mean()
        return {str(metric): float(value) for metric, value in means.items()}

    def forget_others(self, methods: Collection[str]) -> None:
        """Remove what belongs to none of these methods."""
        kept = {path.name for method in methods for path in self._files(method)}
        for path in self.root.glob("*"):
            if path.name not in kept:
                remove(path)

    def origin(self, method: str) -> str:
        """One hash of maps, truth and code."""
        files = [*sorted((self.predictions / method).glob("*")), self.truth / "annotations" / "dataset.json"]
        code = sorted(Path(uncertsam.metrics.__path__[0]).glob("*.py"))
        told = [f"{path.name} {sha256(path)}" for path in [*files, *code] if path.is_file()]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def _files(self, method: str) -> tuple[Path, Path, Path]:
        table, curves, origin = (self.root / f"{method}{ending}" for ending in ENDINGS)
        return table, curves, origin
