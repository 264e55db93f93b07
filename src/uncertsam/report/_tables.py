"""All tables of a report by name, and what a check asks of each of them alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from uncertsam.experiments.clicking.table import CLICKED, CLICKS
from uncertsam.experiments.controls.design import REGION
from uncertsam.experiments.controls.table import CONTROLS
from uncertsam.experiments.cost.table import COST
from uncertsam.experiments.guarantees.table import GUARANTEES
from uncertsam.experiments.subset import MASKS
from uncertsam.metrics.masks import METRICS
from uncertsam.metrics.region import REGIONS
from uncertsam.statistics.comparisons import ANSWERS
from uncertsam.statistics.curves import CURVES
from uncertsam.statistics.image_level import IMAGE_LEVEL
from uncertsam.statistics.intervals import INTERVALS
from uncertsam.statistics.schema import Column, Range
from uncertsam.statistics.table import COLUMNS, PER_MASK, RESULTS, SCORES, at_default, uneven

MASK = ["dataset", "image_id", "mask_id"]
_FREE = float("inf")
_WIDER: dict[str, Range] = {"nll": (0.0, _FREE), "mean_u": (-_FREE, _FREE)}
_WIDER |= dict.fromkeys(("pearson", "spearman"), (-1.0, 1.0))
_RANGES = {m: _WIDER.get(m, (0.0, 1.0)) for m in (*METRICS, "predicted_iou")}
_KNOWN = {"metric": Column("str", words=[*METRICS, *SCORES]), "region": Column("str", words=REGIONS)}
_MEASURED = replace(RESULTS, columns={**RESULTS.columns, **_KNOWN}, ranges=_RANGES)
_MASKS = replace(PER_MASK, columns={**PER_MASK.columns, **_KNOWN}, ranges=_RANGES)
_CONTROLLED = {**_MASKS.columns, "region": Column("str", words=[REGION])}
_REFINE = "Run the tabulate_refined stage."

SCHEMAS = {
    schema.name: schema
    for schema in (
        replace(_MEASURED, refers={"refinement.parquet": MASK}),
        replace(_MASKS, name="refinement.parquet", mend=_REFINE, refers={"results.parquet": MASK}),
        replace(
            _MASKS,
            name="controls.parquet",
            mend=CONTROLS.mend,
            columns=_CONTROLLED,
            refers={"controls_subset.csv": MASK},
        ),
        replace(INTERVALS, name="refinement.csv", mend=_REFINE),
        replace(ANSWERS, name="refinement_answers.csv", mend=_REFINE),
        *(INTERVALS, IMAGE_LEVEL, ANSWERS, CURVES, CONTROLS, MASKS, COST, GUARANTEES, CLICKS, CLICKED),
    )
}


@dataclass(frozen=True)
class Tables:
    """The tables of a folder of reports, each read when it is asked for; UserError where one is no such table."""

    reports: Path
    found: dict[str, pd.DataFrame] = field(default_factory=dict)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.found:
            self.found[name] = SCHEMAS[name].read(self.reports / name)
        return self.found[name]

    @cached_property
    def default(self) -> pd.DataFrame:
        """`at_default` of the results."""
        return at_default(self["results.parquet"])

    def problems(self, names: list[str], *between: "Check") -> list[str]:
        """What is wrong with some tables, a line each.

        between: what must hold between tables; not asked where one of `names` is broken, for then it says nothing.
        """
        if broken := [line for name in names for line in self.broken(name)]:
            return broken
        alone = [line for name in names for line in self._wrong(name)]
        return alone + [line for check in between for line in check(self)]

    def broken(self, name: str) -> Iterator[str]:
        """What leaves a table without meaning: lost values, rows given twice, methods on different masks."""
        table = self[name]
        yield from SCHEMAS[name].broken(table)
        if name == "results.parquet":
            yield from uneven(self.default, name)
        elif list(table.columns) == COLUMNS:
            yield from uneven(table, name)

    def _wrong(self, name: str) -> Iterator[str]:
        schema = SCHEMAS[name]
        yield from schema.wrong(self[name])
        for other in schema.refers:
            yield from schema.strays(self[name], self[other], other)


Check = Callable[[Tables], Iterator[str]]
