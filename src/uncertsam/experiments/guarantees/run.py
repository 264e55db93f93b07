"""All cells that something is promised of, counted and put to the test."""

import pandas as pd
from tqdm import tqdm

from uncertsam.config.guarantees import Guarantees
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
    knobs = bench.params.section("guarantees", Guarantees)
    reported = {name: bench.split(name) for name in bench.params.names("datasets")}
    check_unseen(reported, *bench.fitted_on)
    images = {name: sum(map(bool, split.annotations.values())) for name, split in reported.items()}
    chosen = bench.datasets("guarantees", knobs.datasets or [name for name in images if images[name] >= FEWEST])
    cells = [(dataset, method) for dataset in chosen for method in bench.methods(knobs.methods)]
    progress = tqdm(cells, desc="guarantee", disable=None)
    pools = {(d, m): pool_of(bench.predictions / d / m, reported[d]) for d, m in progress}
    facts = {name: facts_of(reported[name]) for name in chosen}
    return rows(pools, facts, knobs, bench.seed) if pools else pd.DataFrame(columns=COLUMNS)
