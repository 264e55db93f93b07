"""Does uncertainty say where to click? Told in the terms of `experiments.contract`."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.config.sections import ALL
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.clicking.figure import clicking
from uncertsam.experiments.clicking.table import CLICKED, CLICKS, DIFFERENCE, MEAN, POLICIES, RANDOM, summary
from uncertsam.experiments.contract import Experiment, Figure, Frames
from uncertsam.statistics.intervals import facts_of
from uncertsam.statistics.schema import Tables
from uncertsam.statistics.table import MASK


def run(bench: Bench) -> Frames:
    from uncertsam.experiments.clicking.run import clicked

    return {CLICKS.name: clicked(bench)}


def summarise(frames: Frames, bench: Bench) -> Frames:
    chosen = bench.subset("clicking", bench.config.clicking)
    facts = {name: facts_of(split) for name, split in chosen.items()}
    return {CLICKED.name: summary(frames[CLICKS.name], facts, bench.draws, bench.seed)}


def metrics(tables: Tables) -> Mapping[str, Any]:
    """IoU after the last click over all datasets, less that of random ones."""
    frame = tables[CLICKED.name]
    last = (frame["kind"] == DIFFERENCE) & (frame["dataset"] == ALL) & (frame["clicks"] == frame["clicks"].max())
    return {f"{row['method']}.{row['policy']}": row["value"] for row in frame[last].to_dict("records")}


def problems(tables: Tables) -> Iterator[str]:
    """Every mask after every click by each policy, one beginning for all, and the means of the table."""
    table, frame = tables[CLICKS.name], tables[CLICKED.name]
    mask = [*MASK, "method"]
    if (table.groupby(mask).size() != len(POLICIES) * (table["clicks"].max() + 1)).any():
        yield "clicking.parquet: a mask was not clicked at as often by every policy"
    if (table[table["clicks"] == 0].groupby(mask)["iou"].nunique() > 1).any():
        yield "clicking.parquet: the policies of a mask begin with different answers"
    case = ["dataset", "method", "clicks", "policy"]
    means = pd.concat([table, table.assign(dataset=ALL)]).groupby(case)["iou"].mean()
    wide = means.unstack("policy")
    gaps = wide.sub(wide[RANDOM], axis=0).stack() if RANDOM in wide else means * np.nan
    for kind, meant in ((MEAN, means), (DIFFERENCE, gaps)):
        rows = frame[frame["kind"] == kind].set_index(case)["value"]
        for row in rows.index[~np.isclose(rows, meant.reindex(rows.index), atol=1e-6)]:
            told = f"{kind} of {row[3]} clicks of {row[1]} on {row[0]}"
            yield f"clicking.csv: the {told} is not that of clicking.parquet"
    if (count := int((frame["kind"] == MEAN).sum())) != len(means):
        yield f"clicking.csv has {count} means, not {len(means)}"


EXPERIMENT = Experiment(
    "clicking", "click", "clicking", [CLICKS, CLICKED], run, summarise, problems,
    metrics=metrics,
    figures={"clicking": Figure(CLICKED.name, clicking)},
)  # fmt: skip
