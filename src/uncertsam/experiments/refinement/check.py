"""Are the refinement's reports what they say? Called by `check.problems`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.base.files import read_table
from uncertsam.experiments.refinement.names import BOUND, PLAIN, steps_of
from uncertsam.metrics.masks import METRICS
from uncertsam.statistics.answers import read_answers
from uncertsam.statistics.selection import read_intervals
from uncertsam.statistics.table import other_means, table_problems

AGAIN = "Run the tabulate_refined stage again."


def refined_problems(reports: Path, results: pd.DataFrame) -> Iterator[str]:
    """Everything that is wrong with refinement.parquet, refinement.csv and refinement_answers.csv, a line each.

    Raises UserError where a file is missing or unreadable.
    """
    table = read_table(reports / "refinement.parquet", AGAIN)
    frame, answers = read_intervals(reports / "refinement.csv"), read_answers(reports / "refinement_answers.csv")
    if wrong := table_problems(table, "refinement.parquet"):
        yield from wrong
        return
    yield from _rows(table)
    for cell in other_means(frame, table):
        yield f"refinement.csv: the mean of {cell} is not that of refinement.parquet"
    yield from _answers(answers, table)
    yield from _same_masks(table, results)


def _rows(table: pd.DataFrame) -> Iterator[str]:
    methods = set(table["method"])
    for lost in sorted({PLAIN, BOUND} - methods):
        yield f"refinement.parquet: {lost} is missing"
    for other in sorted(name for name in methods - {PLAIN, BOUND} if not steps_of(name)):
        yield f"refinement.parquet: there is no refinement {other!r}"
    for other in sorted(set(table["metric"]) - set(METRICS)):
        yield f"refinement.parquet: there is no metric {other!r}"


def _answers(answers: pd.DataFrame, table: pd.DataFrame) -> Iterator[str]:
    """Each dataset's difference is that of the means on the masks that both have."""
    rows = answers[(answers["scope"] == "dataset") & (answers["reference"] == PLAIN) & (answers["metric"] == "iou")]
    measured = table[(table["metric"] == "iou") & (table["region"] == "full")]
    wide = measured.pivot_table("value", "dataset", "method")
    for row in rows.to_dict("records"):
        gap = wide[row["method"]][row["dataset"]] - wide[PLAIN][row["dataset"]]
        if not np.isclose(row["difference"], gap, rtol=1e-6, atol=1e-7, equal_nan=True):
            yield f"refinement_answers.csv: {row['method']} on {row['dataset']} differs from {PLAIN} by {gap:.6g}"


def _same_masks(table: pd.DataFrame, results: pd.DataFrame) -> Iterator[str]:
    """Both tables are about the same masks."""
    key = ["dataset", "image_id", "mask_id"]
    there, here = (set(t[key].itertuples(index=False, name=None)) for t in (results, table))
    if there != here:
        yield f"refinement.parquet and results.parquet differ in {len(there ^ here)} masks"
