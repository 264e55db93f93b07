"""Does another look, told of the uncertainty, improve the mask? Told in the terms of `experiments.contract`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.catalogue import QUALITY
from uncertsam.experiments.contract import Experiment, Figure, Section
from uncertsam.experiments.refinement.names import BOUND, PLAIN, steps_of
from uncertsam.experiments.refinement.section import contents
from uncertsam.figures.bars import mask_quality
from uncertsam.figures.forest import forest
from uncertsam.statistics.comparisons import ANSWERS
from uncertsam.statistics.intervals import CELL, INTERVALS
from uncertsam.statistics.schema import Tables
from uncertsam.statistics.table import MASK, PER_MASK, RESULTS, other_means

_REFINE = "Run the tabulate_refined stage."
MEASURED = replace(PER_MASK, name="refinement.parquet", mend=_REFINE, refers={RESULTS.name: MASK})
MEANS = replace(INTERVALS, name="refinement.csv", mend=_REFINE)
COMPARED = replace(ANSWERS, name="refinement_answers.csv", mend=_REFINE)


def problems(tables: Tables) -> Iterator[str]:
    """Known refinements, the means of the table, and differences that are those of the means."""
    table, found = tables[MEASURED.name], tables[COMPARED.name]
    methods = set(table["method"])
    for lost in sorted({PLAIN, BOUND} - methods):
        yield f"refinement.parquet: {lost} is missing"
    for other in sorted(name for name in methods - {PLAIN, BOUND} if not steps_of(name)):
        yield f"refinement.parquet: there is no refinement {other!r}"
    for cell in other_means(tables[MEANS.name], table, CELL, "mean_masks"):
        yield f"refinement.csv: the mean of {cell} is not that of refinement.parquet"
    rows = found[(found["scope"] == "dataset") & (found["reference"] == PLAIN) & (found["metric"] == "iou")]
    measured = table[(table["metric"] == "iou") & (table["region"] == "full")]
    wide = measured.pivot_table("value", "dataset", "method")
    gaps = wide.sub(wide[PLAIN], axis=0).stack() if PLAIN in wide else pd.Series()
    for row in rows.to_dict("records"):
        gap = gaps.get((row["dataset"], row["method"]), np.nan)
        if not np.isclose(row["difference"], gap, rtol=1e-6, atol=1e-7, equal_nan=True):
            yield f"refinement_answers.csv: {row['method']} on {row['dataset']} differs from {PLAIN} by {gap:.6g}"


def _quality(means: pd.DataFrame, stem: Path, foot: str) -> None:
    mask_quality(_refined(means, 0, 1), stem, foot, title="Masks, refined once")


def _differences(answers: pd.DataFrame, stem: Path, foot: str) -> None:
    forest(_refined(answers, 1), PLAIN, QUALITY, stem, foot, title="Does refining help?")


def _refined(frame: pd.DataFrame, *times: int) -> pd.DataFrame:
    """The rows of what was refined so many times."""
    return frame[frame["method"].map(steps_of).isin(times)]


EXPERIMENT = Experiment(
    "refinement",
    "refine",
    schemas=[MEASURED, MEANS, COMPARED],
    problems=problems,
    figures={
        "refinement_quality": Figure(MEANS.name, _quality),
        "refinement_forest": Figure(COMPARED.name, _differences),
    },
    section=Section("Refinement", contents),
)
