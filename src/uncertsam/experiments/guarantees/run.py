"""All cells that something is promised of, counted and put to the test."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from uncertsam.base.errors import UserError, suggestion
from uncertsam.config.guarantees import Guarantees
from uncertsam.data.format import Split
from uncertsam.experiments.guarantees._histograms import pool_of
from uncertsam.experiments.guarantees._splits import FEWEST
from uncertsam.experiments.guarantees.table import COLUMNS, rows
from uncertsam.statistics.intervals import facts_of

Progress = Callable[[Iterable[tuple[str, str]]], Iterable[tuple[str, str]]]


def guarantee(
    predictions: Path, splits: Mapping[str, Split], methods: Sequence[str], knobs: Guarantees, seed: int,
    progress: Progress = iter,
) -> pd.DataFrame:  # fmt: skip
    """The table of `table.COLUMNS`. predictions: data/predictions; splits: the reported one of each dataset.

    methods: those that are predicted. Empty where no dataset has images enough to be split. Raises UserError where a
    dataset that is named is not there or has too few images, or predictions are missing.
    """
    chosen = _datasets(splits, knobs)
    if not chosen:
        return pd.DataFrame(columns=COLUMNS)
    cells = [(dataset, method) for dataset in chosen for method in _methods(methods, knobs)]
    pools = {(d, m): pool_of(predictions / d / m, splits[d]) for d, m in progress(cells)}
    return rows(pools, {name: facts_of(splits[name]) for name in chosen}, knobs, seed)


def _methods(there: Sequence[str], knobs: Guarantees) -> list[str]:
    return [name for name in knobs.methods if name in there] or list(there[:1])


def _datasets(splits: Mapping[str, Split], knobs: Guarantees) -> list[str]:
    """Those named, or all with images enough to be split; too few in one that is named is an error later."""
    for name in knobs.datasets or []:
        if name not in splits:
            raise UserError(f"guarantees.datasets: {name!r} is not reported.", suggestion(name, splits))
    images = {name: sum(map(bool, split.annotations.values())) for name, split in splits.items()}
    return list(knobs.datasets or [name for name, count in images.items() if count >= FEWEST])
