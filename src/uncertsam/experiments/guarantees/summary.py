"""`guarantees.csv` summed up: `guarantees.json`."""

from typing import Any

import pandas as pd

ROUNDING = 1e-7  # of the decimals that are written


def verdict(frame: pd.DataFrame) -> dict[str, Any]:
    """What was promised, was it kept at home, and how often was it broken elsewhere.

    kept: method -> alpha -> dataset -> {fnr, bound, everything, holds}. shift: method -> alpha -> {pairs, broken,
    worst}: pairs of datasets, those of them whose mean fnr exceeds alpha, and the largest mean fnr.
    """
    kept: dict[str, Any] = {}
    for row in _promises(frame):
        told = {"fnr": row.fnr, "bound": row.bound, "everything": row.everything, "holds": _holds(row)}
        kept.setdefault(row.method, {}).setdefault(f"{row.setting:g}", {})[row.dataset] = told
    shift: dict[str, Any] = {}
    moved: Any = frame[(frame["part"] == "shift") & (frame["metric"] == "fnr")].groupby(["method", "setting"])["value"]
    for (method, alpha), values in moved:
        broken = int((values > alpha + ROUNDING).sum())
        found = {"pairs": len(values), "broken": broken, "worst": float(values.max())}
        shift.setdefault(method, {})[f"{alpha:g}"] = found
    return {"kept": kept, "shift": shift}


def _promises(frame: pd.DataFrame) -> list[Any]:
    """Each promise with what came of it where it was made: method, setting (alpha), dataset, fnr, bound, everything."""
    rows = frame[frame["part"] == "risk"]
    wide = rows.pivot(index=["method", "setting", "dataset"], columns="metric", values="value")
    return list(wide.reset_index().itertuples(index=False))


def _holds(row: Any) -> bool:
    """The mean fnr of a promise stays below its bound."""
    return bool(row.fnr <= row.bound + ROUNDING)


def broken_promises(frame: pd.DataFrame) -> list[str]:
    """A line for each promise that was not kept where it was made."""
    return [
        f"{row.method} on {row.dataset} misses {row.fnr:.4f}; promised {row.setting:g}, allowed {row.bound:.4f}"
        for row in _promises(frame)
        if not _holds(row)
    ]
