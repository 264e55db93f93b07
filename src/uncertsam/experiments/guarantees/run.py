"""All cells that something is promised of, counted and put to the test."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from uncertsam.config.guarantees import Guarantees
from uncertsam.data.format import Split
from uncertsam.data.splits import check_unseen
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.guarantees._histograms import pool_of
from uncertsam.experiments.guarantees._splits import FEWEST
from uncertsam.experiments.guarantees.table import COLUMNS, rows
from uncertsam.statistics.intervals import facts_of


def guarantee(bench: Bench) -> pd.DataFrame:
    """The table of `table.COLUMNS`; empty where no dataset has images enough to be split.

    Raises UserError where a dataset that is named is not there or has too few images, or predictions are missing.
    """
    knobs = bench.config.guarantees
    reported = {name: bench.split(name) for name in bench.config.datasets}
    check_unseen(reported, *bench.fitted_on)
    images = {name: sum(map(bool, split.annotations.values())) for name, split in reported.items()}
    chosen = (
        bench.datasets("guarantees", knobs.datasets)
        if knobs.datasets
        else [name for name, count in images.items() if count >= FEWEST]
    )
    splits = {name: reported[name] for name in chosen}
    return promised(bench.predictions, splits, bench.methods(knobs.methods), knobs, bench.seed)


def promised(
    predictions: Path, splits: Mapping[str, Split], methods: Sequence[str], knobs: Guarantees, seed: int
) -> pd.DataFrame:
    """The table of some datasets and methods. Raises UserError where a dataset cannot be split."""
    cells = tqdm([(dataset, method) for dataset in splits for method in methods], desc="guarantee", disable=None)
    pools = {(d, m): pool_of(predictions / d / m, splits[d]) for d, m in cells}
    facts = {name: facts_of(split) for name, split in splits.items()}
    return rows(pools, facts, knobs, seed) if pools else pd.DataFrame(columns=COLUMNS)
