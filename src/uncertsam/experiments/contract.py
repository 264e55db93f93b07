"""What an experiment is: how it is run, what must hold of its tables, how they are drawn, and what the page says.

An experiment is a folder beside this file whose `experiment.py` defines `EXPERIMENT`. The stages, the checks, the
figures and the page go through all of them and know none by its name.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from uncertsam.base.errors import UserError, suggestion
from uncertsam.base.files import read_json, write_json
from uncertsam.data.format import Split
from uncertsam.experiments.bench import Bench
from uncertsam.statistics.comparisons import ANSWERS
from uncertsam.statistics.curves import CURVES
from uncertsam.statistics.image_level import IMAGE_LEVEL
from uncertsam.statistics.intervals import INTERVALS
from uncertsam.statistics.schema import Check, Schema, Tables
from uncertsam.statistics.table import RESULTS

Frames = Mapping[str, pd.DataFrame]  # by the name of their file in reports/
Draw = Callable[[pd.DataFrame, Path, str], Any]  # the table, the files without ending, the line under the figure


@dataclass(frozen=True)
class Predicted:
    """What a figure may read beside the tables. predictions: <dataset>/<method>/...; splits: the reported ones."""

    predictions: Path
    splits: Mapping[str, Split]
    methods: Sequence[str]


@dataclass(frozen=True)
class Figure:
    """A picture of one table of reports/, or of what is `made` of predictions; nothing is drawn where that is empty.

    Its title and caption on the page stand in `captions.yaml` beside `experiment.py`.
    """

    table: str
    draw: Draw
    made: Callable[[Predicted], pd.DataFrame] | None = None

    def read(self, tables: Tables, predicted: Predicted) -> pd.DataFrame:
        """The numbers to draw. Raises UserError where they are missing or broken."""
        return self.made(predicted) if self.made else tables[self.table]


@dataclass(frozen=True)
class Section:
    """A part of the page. title: in its list of parts. contents: what `section.html.j2` beside it calls `told`."""

    title: str
    contents: Callable[[Tables], Any]


@dataclass(frozen=True)
class Experiment:
    """One experiment. name: of its folder. stage: that makes its tables. settings: its section of params.yaml.

    schemas: its tables. run: the long tables, where a stage runs the experiment alone. summarise: the others, made of
    them. problems: what is wrong between its tables, a line each. verdict: what the JSON beside the last
    of the tables holds, made of that table; None for no such file.
    metrics: what is tracked. figures: by the names of their files.
    """

    name: str
    stage: str
    settings: str = ""
    schemas: Sequence[Schema] = ()
    run: Callable[[Bench], Frames] | None = None
    summarise: Callable[[Frames, Bench], Frames] = lambda frames, bench: {}
    problems: Check = lambda tables: ()
    verdict: Callable[[pd.DataFrame], Any] | None = None
    metrics: Callable[[Tables], Mapping[str, Any]] = lambda tables: {}
    figures: Mapping[str, Figure] = field(default_factory=dict)
    section: Section | None = None

    def write(self, bench: Bench, reports: Path) -> Tables:
        """Run it and write its tables. Returns them as they are read back."""
        assert self.run is not None, f"{self.name} is not run alone"
        long = self.run(bench)
        frames = {**long, **self.summarise(long, bench)}
        for schema in self.schemas:
            schema.write(reports / schema.name, frames[schema.name])
        tables = Tables(reports, {schema.name: schema for schema in self.schemas})
        if self.verdict:
            write_json(reports / self._told, self.verdict(tables[self.schemas[-1].name]))
        return tables

    def contradictions(self, tables: Tables) -> list[str]:
        """Everything that is wrong with its tables. Raises UserError where one is missing or unreadable."""
        return tables.problems([schema.name for schema in self.schemas], self._between)

    @property
    def _told(self) -> Path:
        return Path(self.schemas[-1].name).with_suffix(".json")

    def captions(self) -> dict[str, Any]:
        """Of its figures, from the file beside it."""
        path = Path(__file__).parent / self.name / "captions.yaml"
        return dict(read_captions(path)) if self.figures else {}

    def _between(self, tables: Tables) -> Iterator[str]:
        yield from self.problems(tables)
        if self.verdict:
            name = self.schemas[-1].name
            told = read_json(tables.reports / self._told, f"Run the {self.stage} stage.")
            if told != self.verdict(tables[name]):
                yield f"{self._told} does not say what {name} does"


def read_captions(path: Path) -> dict[str, dict[str, str] | None]:
    """Title and caption of some figures by the names of their files, in the page's order."""
    captions: dict[str, dict[str, str] | None] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return captions


@cache
def experiments() -> tuple[Experiment, ...]:
    """All experiments, by the alphabet of their folders."""
    found = sorted(path.parent.name for path in Path(__file__).parent.glob("*/experiment.py"))
    return tuple(importlib.import_module(f"uncertsam.experiments.{name}.experiment").EXPERIMENT for name in found)


def experiment_named(name: str) -> Experiment:
    """One experiment. Raises UserError where there is none of this name."""
    found = {experiment.name: experiment for experiment in experiments()}
    if name not in found:
        raise UserError(f"There is no experiment {name!r}.", suggestion(name, found))
    return found[name]


def schemas() -> dict[str, Schema]:
    """Every table of reports/ by its name: those of the plain comparison, and of every experiment."""
    own = [schema for experiment in experiments() for schema in experiment.schemas]
    return {schema.name: schema for schema in (RESULTS, INTERVALS, IMAGE_LEVEL, CURVES, ANSWERS, *own)}


def tables_of(reports: Path) -> Tables:
    """The tables of a folder of reports."""
    return Tables(reports, schemas())
