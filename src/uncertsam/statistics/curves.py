"""The table of all curves, from which figures are drawn without looking at a pixel again."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from uncertsam.metrics.curves import COLUMNS, KINDS
from uncertsam.statistics.schema import COUNT, WORD, Column, Schema

KEY = ["dataset", "method", "kind", "part"]
_TYPES = {"dataset": WORD, "method": WORD, "kind": Column("str", words=KINDS), "part": COUNT}
CURVES = Schema(
    "curves.parquet",
    "Delete it, then run the measure and tabulate stages again.",
    {name: _TYPES.get(name, Column("float32", within=(0.0, 1.0), empty=True)) for name in COLUMNS},
    KEY,
    refers={"results.parquet": ["dataset", "method"]},
)


def collect_curves(cells: Iterable[Path]) -> pd.DataFrame:
    """The curves of all cells, sorted by their key. Raises UserError where a file is missing or holds other columns."""
    return pd.concat([CURVES.read(path) for path in cells]).sort_values(KEY, ignore_index=True)
