"""Tabulate: the refined masks, their means with intervals, and each arm against SAM and against the maps of ones."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.data.splits import check_unseen
from uncertsam.experiments.refinement.compare import compared
from uncertsam.experiments.refinement.names import methods_of
from uncertsam.statistics.comparisons import ANSWERS
from uncertsam.statistics.intervals import INTERVALS, facts_of, intervals
from uncertsam.statistics.summary import metrics_json
from uncertsam.statistics.table import PER_MASK, at_default, collect


def main(measures: Path, benchmark: Path, reports: Path) -> None:
    """Collect the arms that params.yaml names. What an arm was trained on, no set tests."""
    config = Config.read()
    knobs, seed = config.tabulate, config.base.seed
    names, split = config.datasets, config.predict.split
    trained = config.train_fusion
    rows = methods_of(trained.arms, config.refine.steps)
    with tracking.stage("tabulate_refined", knobs.model_dump()) as run:
        root = measures / config.base.model
        table = at_default(collect({(row, d): root / d / f"{row}.parquet" for row in rows for d in names}))
        reported = {d: read_split(benchmark / d / split) for d in names}
        check_unseen(reported, *trained.splits(benchmark, names))
        facts = {d: facts_of(reported[d]) for d in names}
        PER_MASK.write(reports / "refinement.parquet", table)
        INTERVALS.write(reports / "refinement.csv", intervals(table, facts, knobs.resamples, seed))
        ANSWERS.write(reports / "refinement_answers.csv", compared(table, facts, knobs.resamples, seed))
        run.metrics(metrics_json(table))
    print(f"tabulated {len(table)} values of {len(rows)} refinements on {len(names)} datasets")


if __name__ == "__main__":
    run_stage(main)
