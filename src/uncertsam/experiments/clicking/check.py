"""Are the reports of clicking what they say? Called by `check.problems`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.config.sections import ALL
from uncertsam.experiments.clicking.names import POLICIES
from uncertsam.experiments.clicking.table import COLUMNS, DIFFERENCE, KEYS, MEAN, read_clicks, read_summary

CLOSE = 1e-6  # numbers are written with eight digits


def click_problems(reports: Path) -> Iterator[str]:
    """Everything that is wrong with clicking.parquet and clicking.csv, a line each.

    Raises UserError where a file is missing or unreadable.
    """
    table, frame = read_clicks(reports / "clicking.parquet"), read_summary(reports / "clicking.csv")
    if table[COLUMNS].isna().any().any() or table.duplicated(KEYS).any():
        yield "clicking.parquet lacks a value, or has one twice"
        return
    yield from _rows(table)
    yield from _means(table, frame)
    known = frame.dropna(subset=["low", "high"])
    for row in known[(known["low"] > known["value"]) | (known["value"] > known["high"])].itertuples():
        yield f"clicking.csv: a {row.kind} of {row.dataset}, {row.method}, {row.policy} lies outside of its interval"


def _rows(table: pd.DataFrame) -> Iterator[str]:
    """IoUs, known policies, every mask after every click by each of them, and one beginning for all."""
    if not table["iou"].between(0, 1).all():
        yield "clicking.parquet: iou leaves [0, 1]"
    for other in sorted(set(table["policy"]) - set(POLICIES)):
        yield f"clicking.parquet: there is no policy {other!r}"
    rounds = table.groupby(["dataset", "image_id", "mask_id", "method"]).size()
    if (rounds != len(POLICIES) * (table["clicks"].max() + 1)).any():
        yield "clicking.parquet: a mask was not clicked at as often by every policy"
    begun = table[table["clicks"] == 0].groupby(["dataset", "image_id", "mask_id", "method"])["iou"].nunique()
    if (begun > 1).any():
        yield "clicking.parquet: the policies of a mask begin with different answers"


def _means(table: pd.DataFrame, frame: pd.DataFrame) -> Iterator[str]:
    both = pd.concat([table, table.assign(dataset=ALL)])
    means = both.groupby(["dataset", "method", "policy", "clicks"])["iou"].mean()
    for row in frame.to_dict("records"):
        place = row["dataset"], row["method"]
        value = means.get((*place, row["policy"], row["clicks"]), np.nan)
        value -= means.get((*place, "random", row["clicks"]), np.nan) if row["kind"] == DIFFERENCE else 0.0
        if not np.isclose(row["value"], value, atol=CLOSE):
            told = f"{row['kind']} of {row['policy']} clicks of {row['method']} on {row['dataset']}"
            yield f"clicking.csv: the {told} is not that of clicking.parquet"
    if len(frame[frame["kind"] == MEAN]) != len(means):
        yield f"clicking.csv has {len(frame[frame['kind'] == MEAN])} means, not {len(means)}"
