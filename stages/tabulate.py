"""Tabulate: all measures become one long table, means, and intervals; all curves one table."""

from pathlib import Path

import pandas as pd

from uncertsam import tracking
from uncertsam.base.files import write_json
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.data.splits import check_unseen
from uncertsam.statistics.curves import CURVES, collect_curves
from uncertsam.statistics.image_level import IMAGE_LEVEL, image_level, image_level_intervals
from uncertsam.statistics.intervals import INTERVALS, facts_of, intervals
from uncertsam.statistics.summary import metrics_json
from uncertsam.statistics.table import RESULTS, at_default, collect, unrefined


def main(measures: Path, benchmark: Path, reports: Path) -> None:
    """Collect the cells that params.yaml names, and summarise them."""
    config = Config.read()
    knobs, seed = config.tabulate, config.base.seed
    names, methods, refined = config.datasets, list(config.methods), config.refined
    split = config.predict.split
    found = measures / config.base.model
    with tracking.stage("tabulate", knobs.model_dump()) as run:
        tables = [
            collect({(m, d): measures / model / d / f"{m}.parquet" for m in [*methods, *refined] for d in names})
            for model in sorted(config.models, key=lambda name: (name != config.base.model, name))  # its own first
        ]
        table = pd.concat(tables, ignore_index=True)
        reported = {d: read_split(benchmark / d / split) for d in names}
        check_unseen(reported, *config.fitted_on(benchmark), *config.train_fusion.splits(benchmark, names))
        facts = {d: facts_of(reported[d]) for d in names}
        own = at_default(table)
        plain = unrefined(own)
        rows = [
            intervals(own, facts, knobs.resamples, seed),
            image_level_intervals(plain, facts, knobs.resamples, seed, knobs.failure_iou),
        ]
        RESULTS.write(reports / "results.parquet", table)
        IMAGE_LEVEL.write(reports / "image_level.csv", image_level(table, knobs.failure_iou))
        write_json(reports / "metrics.json", metrics_json(plain))
        curves = [found / d / f"{m}.curves.parquet" for m in methods for d in names]
        CURVES.write(reports / "curves.parquet", collect_curves(curves))
        INTERVALS.write(reports / "intervals.csv", pd.concat(rows, ignore_index=True))
        run.metrics(metrics_json(plain))
    print(f"tabulated {len(table)} values of {len(methods) + len(refined)} methods on {len(names)} datasets")


if __name__ == "__main__":
    run_stage(main)
