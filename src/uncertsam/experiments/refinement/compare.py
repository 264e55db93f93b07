"""Refinement compared: each arm against plain SAM, and against the arms that are told nothing (maps of ones).

Registered before any run: the metrics and references below. Tests over datasets count the arms of one number of steps
as a family; the bound is no candidate and is not tested.
"""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from uncertsam.config.arms import PLAIN, method_of, steps_of
from uncertsam.statistics.comparisons import ANSWERS, Plan, compare
from uncertsam.statistics.intervals import DatasetFacts

METRICS = ("iou", "boundary_iou_0.02", "brier", "pearson")
ONES = ("sam_ones", "la_ones")
COMPARED = replace(ANSWERS, name="refinement_answers.csv")


def compared(
    table: pd.DataFrame, facts: Mapping[str, DatasetFacts], resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """The table `COMPARED` of a long one, as `statistics.table.at_default` gives it: each step against its own."""
    steps, plain = table["method"].map(steps_of), table["method"] == PLAIN
    frames = [
        _of_step(table[(steps == step) | plain], facts, step, resamples, seed) for step in sorted(set(steps) - {0})
    ]
    return pd.concat(frames, ignore_index=True)


def _of_step(
    table: pd.DataFrame, facts: Mapping[str, DatasetFacts], step: int, resamples: int, seed: int
) -> pd.DataFrame:
    plan = Plan(METRICS, [PLAIN, *(method_of(arm, step) for arm in ONES)], resamples, seed=seed)
    found = compare(table, facts, plan)
    return found[found["method"] != PLAIN]
