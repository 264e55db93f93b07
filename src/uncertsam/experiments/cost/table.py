"""`reports/cost.csv`: what a mask costs with each method, in time and memory, on the machine that the run was made on.

method      a method, or "encoder": the pass that all methods share
unit        "mask", or "image" for the encoder
ms          median over repeats, milliseconds; ms_low, ms_high: the fastest and the slowest repeat
ratio       of ms to that of `sam`, a plain decode; empty for the encoder
peak_mb     tensors alive at one time while an image is answered, beyond its embedding; 10^6 bytes
state_mb    what was fitted or trained for it; 10^6 bytes
masks, images, repeats, device, threads: how it was taken

No two machines, and no two runs, give the same times: `uncertsam compare` asks here for the same rows alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.base.files import written_aside

FILE = "cost.csv"
ENCODER, PLAIN = "encoder", "sam"
COUNTS = ["masks", "images", "repeats"]
NUMBERS = ["ms", "ms_low", "ms_high", "ratio", "peak_mb", "state_mb"]
COLUMNS = ["method", "unit", *NUMBERS, *COUNTS, "device", "threads"]


def read_cost(path: Path) -> pd.DataFrame:
    """Read `cost.csv`. Raises UserError where it is missing or no such table."""
    try:
        frame = pd.read_csv(path, dtype={"method": str, "unit": str, "device": str})
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", "Run the clock stage first.") from None
    except ValueError as error:
        raise UserError(f"{path} is not a table ({error}).", "Run the clock stage again.") from None
    if list(frame.columns) != COLUMNS:
        raise UserError(f"{path} has the columns {list(frame.columns)}, not {COLUMNS}.", "Run the clock stage again.")
    return frame


def write_cost(target: Path, frame: pd.DataFrame) -> None:
    """Write `cost.csv`, whole or not at all."""
    with written_aside(target) as aside:
        frame[COLUMNS].to_csv(aside, index=False, float_format="%.4g")


def cost_problems(frame: pd.DataFrame, methods: Sequence[str]) -> Iterator[str]:
    """What cannot be: a method without a row, a time of 0 or less, a median outside of its range."""
    for name in [name for name in (ENCODER, *methods) if name not in set(frame["method"])]:
        yield f"{FILE}: {name} has no row"
    rows: Iterator[Any] = frame.itertuples()
    for row in rows:
        if not 0 < row.ms_low <= row.ms <= row.ms_high:
            yield f"{FILE}: {row.method} takes {row.ms} ms, between {row.ms_low} and {row.ms_high}"
        if row.method != ENCODER and not (row.ratio > 0 and row.peak_mb > 0 and row.state_mb >= 0):
            yield f"{FILE}: {row.method} has a ratio or a size that cannot be"
