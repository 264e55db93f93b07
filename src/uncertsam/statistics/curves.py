"""The table of all curves, from which figures are drawn without looking at a pixel again."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.base.files import written_aside
from uncertsam.metrics.curves import COLUMNS

KEY = ["dataset", "method", "kind", "part"]


def collect_curves(cells: Iterable[Path]) -> pd.DataFrame:
    """The curves of all cells, sorted by their key. Raises UserError where a file is missing or holds other columns."""
    return pd.concat([read_curves(path) for path in cells]).sort_values(KEY, ignore_index=True)


def read_curves(path: Path) -> pd.DataFrame:
    """Read a table of curves (see `metrics.curves.curve_table`). Raises UserError where it is missing or broken."""
    try:
        return pd.read_parquet(path)[COLUMNS]
    except (OSError, ValueError, KeyError) as error:
        again = "Delete it, then run the measure and tabulate stages again."
        raise UserError(f"{path} holds no curves ({error}).", again) from None


def write_curves(target: Path, table: pd.DataFrame) -> None:
    """Write a table of curves, whole or not at all."""
    with written_aside(target) as aside:
        table[COLUMNS].to_parquet(aside, index=False)
