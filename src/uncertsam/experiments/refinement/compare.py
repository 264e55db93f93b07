"""Refinement compared: each arm against plain SAM, and against the arms that are told nothing (maps of ones).

Registered before any run: the metrics and references below. Tests over datasets count the arms of one number of steps
as a family; the bound is no candidate and is not tested.
"""

from collections.abc import Mapping

import pandas as pd

from uncertsam.experiments.refinement.names import BOUND, PLAIN, method_of, steps_of
from uncertsam.statistics.comparisons import Plan, compare
from uncertsam.statistics.intervals import DatasetFacts

METRICS = ("iou", "boundary_iou_0.02", "brier", "pearson")
ONES = ("sam_ones", "la_ones")


def compared(
    table: pd.DataFrame, facts: Mapping[str, DatasetFacts], resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Rows with the columns of `answers.csv`, of the long table of refinements; each step against those of its step."""
    candidates = table[table["method"] != BOUND]
    steps, plain = candidates["method"].map(steps_of), candidates["method"] == PLAIN
    frames = [
        _of_step(candidates[(steps == step) | plain], facts, step, resamples, seed) for step in sorted(set(steps) - {0})
    ]
    return pd.concat(frames, ignore_index=True)


def _of_step(
    table: pd.DataFrame, facts: Mapping[str, DatasetFacts], step: int, resamples: int, seed: int
) -> pd.DataFrame:
    plan = Plan(METRICS, [PLAIN, *(method_of(arm, step) for arm in ONES)], resamples, seed=seed)
    found = compare(table, facts, plan)
    return found[found["method"] != PLAIN]
