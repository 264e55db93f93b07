"""Does another look, told of the uncertainty, improve the mask? Told in the terms of `experiments.contract`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from uncertsam.catalogue import QUALITY
from uncertsam.config.arms import PLAIN, steps_of
from uncertsam.experiments.contract import Experiment, Figure, Section
from uncertsam.experiments.refinement.compare import COMPARED
from uncertsam.experiments.refinement.section import contents, refined_once
from uncertsam.figures.bars import mask_quality
from uncertsam.figures.forest import forest
from uncertsam.statistics.intervals import INTERVALS
from uncertsam.statistics.schema import Tables
from uncertsam.statistics.table import RESULTS, at_default


def problems(tables: Tables) -> Iterator[str]:
    """Differences to plain SAM that are not those of the means in results.parquet."""
    table, found = at_default(tables[RESULTS.name]), tables[COMPARED.name]
    rows = found[(found["scope"] == "dataset") & (found["reference"] == PLAIN) & (found["metric"] == "iou")]
    measured = table[(table["metric"] == "iou") & (table["region"] == "full")]
    wide = measured.pivot_table("value", "dataset", "method")
    gaps = wide.sub(wide[PLAIN], axis=0).stack() if PLAIN in wide else pd.Series()
    for row in rows.to_dict("records"):
        gap = gaps.get((row["dataset"], row["method"]), np.nan)
        if not np.isclose(row["difference"], gap, rtol=1e-6, atol=1e-7, equal_nan=True):
            yield f"refinement_answers.csv: {row['method']} on {row['dataset']} differs from {PLAIN} by {gap:.6g}"


def _quality(means: pd.DataFrame, stem: Path, foot: str) -> None:
    mask_quality(refined_once(means), stem, foot, title="Masks, refined once")


def _differences(answers: pd.DataFrame, stem: Path, foot: str) -> None:
    once = answers[answers["method"].map(steps_of) == 1]
    forest(once, PLAIN, QUALITY, stem, foot, title="Does refining help?")


EXPERIMENT = Experiment(
    "refinement",
    "compare",
    schemas=[COMPARED],
    problems=problems,
    figures={
        "refinement_quality": Figure(INTERVALS.name, _quality),
        "refinement_forest": Figure(COMPARED.name, _differences),
    },
    section=Section("Refinement", contents),
)
