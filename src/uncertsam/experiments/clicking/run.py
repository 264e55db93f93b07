"""Clicking on a fixed subset of every dataset: which masks, which methods, and all rounds."""

import pandas as pd
from tqdm import tqdm

from uncertsam.data.splits import check_unseen
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.clicking._rounds import ClickingTask
from uncertsam.experiments.clicking.table import COLUMNS, KEYS


def clicked(bench: Bench) -> pd.DataFrame:
    """The table of `table.COLUMNS`. Raises UserError where a dataset is not reported or has no masks."""
    knobs, rows = bench.config.clicking, []
    chosen = bench.subset("clicking", knobs)
    check_unseen(chosen, *bench.fitted_on)
    methods = {name: bench.method(name) for name in bench.methods(knobs.methods)}
    for dataset, split in chosen.items():
        task = ClickingTask(bench.model, bench.store(dataset), split, dataset, bench.seed, knobs)
        for image in tqdm(split, f"click at {dataset}", disable=None):
            rows += list(task.rows(image, methods))
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(KEYS, ignore_index=True)
