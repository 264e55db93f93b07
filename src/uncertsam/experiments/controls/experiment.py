"""How much of Laplace's gain is Bayes? Told in the terms of `experiments.contract`.

Factors, subset and what is judged were registered in profiles/controls_registration.md before anything was run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from uncertsam.config.sections import POOLED
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.contract import Experiment, Figure, Frames, Section
from uncertsam.experiments.controls.design import CELLS, FACTORS, REFERENCE, REGION, TOTAL
from uncertsam.experiments.controls.figure import waterfall
from uncertsam.experiments.controls.section import contents
from uncertsam.experiments.controls.table import CASE, CONTROLS, metrics_of, settings_rows, summary
from uncertsam.experiments.subset import MASKS, check_registered, listing
from uncertsam.statistics.intervals import facts_of
from uncertsam.statistics.schema import Column, Tables
from uncertsam.statistics.table import MASK, PER_MASK, check_table, other_means

MEASURED = replace(
    PER_MASK,
    name="controls.parquet",
    mend=CONTROLS.mend,
    columns={**PER_MASK.columns, "region": Column("str", words=[REGION])},
    refers={MASKS.name: MASK},
)


def run(bench: Bench) -> Frames:
    """The measures of every control, the masks that they are of, and how the controls were set."""
    from uncertsam.experiments.controls.run import check_fitted_elsewhere, controlled, single_of
    from uncertsam.experiments.controls.single import settings_of

    knobs = bench.config.ablate
    chosen = bench.subset("ablate", knobs)
    rows = listing(chosen)
    check_registered(rows, knobs.subset)
    check_fitted_elsewhere(bench, chosen)
    single = single_of(bench)
    found = controlled(bench, chosen, single)
    check_table(found)
    return {MEASURED.name: found, MASKS.name: rows, CONTROLS.name: settings_rows(settings_of(single))}


def summarise(frames: Frames, bench: Bench) -> Frames:
    chosen = bench.subset("ablate", bench.config.ablate)
    facts = {name: facts_of(split) for name, split in chosen.items()}
    return {CONTROLS.name: summary(frames[MEASURED.name], facts, frames[CONTROLS.name], bench.draws, bench.seed)}


def metrics(tables: Tables) -> Mapping[str, Any]:
    return metrics_of(tables[CONTROLS.name])


def problems(tables: Tables) -> Iterator[str]:
    """Every control, the means of the table, and factors that add up to the whole difference."""
    table, frame = tables[MEASURED.name], tables[CONTROLS.name]
    for lost in sorted({*CELLS.values(), REFERENCE} - set(table["method"])):
        yield f"controls.parquet: the control {lost} is missing"
    means = frame[(frame["kind"] == "mean") & (frame["dataset"] != POOLED)]
    shown = table[table["metric"].isin(means["metric"])]
    for cell in other_means(means, shown, ["dataset", *CASE], "value"):
        yield f"controls.csv: the mean of {cell} is not that of controls.parquet"
    parts = frame[frame["kind"] == "shapley"]
    wide = parts.pivot(index=["dataset", "metric", "region"], columns="method", values="value")
    lost_factors = sorted({*FACTORS, TOTAL} - set(wide.columns))
    if lost_factors:
        yield f"controls.csv: the factor {lost_factors[0]} has no Shapley value"
        return
    wrong = ~np.isclose(wide[list(FACTORS)].sum(axis=1, skipna=False), wide[TOTAL], atol=1e-6, equal_nan=True)
    for dataset, metric, _ in wide.index[wrong]:
        yield f"controls.csv: the Shapley values of {metric} on {dataset} do not add up to the whole difference"


EXPERIMENT = Experiment(
    "controls", "ablate", "ablate", [MEASURED, CONTROLS, MASKS], run, summarise, problems,
    metrics=metrics,
    figures={"controls_waterfall": Figure(CONTROLS.name, waterfall)},
    section=Section("Controls", contents),
)  # fmt: skip
