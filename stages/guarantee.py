"""Guarantee: what can be promised of the masks, and is it kept? Temperatures, conformal risk control, abstention."""

from functools import partial
from pathlib import Path

from tqdm import tqdm

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split
from uncertsam.data.splits import check_unseen
from uncertsam.experiments.guarantees.run import guarantee
from uncertsam.experiments.guarantees.summary import (
    broken_promises,
    guarantees_json,
    write_summary,
)
from uncertsam.experiments.guarantees.table import GUARANTEES


def main(predictions: Path, benchmark: Path, reports: Path) -> None:
    """Calibrate and test on many random splits of the reported images; nothing fitted elsewhere looks at them."""
    config, table = Config.read(), reports / "guarantees.csv"
    knobs, split = config.guarantees, config.predict.split
    seed, methods = config.base.seed, list(config.methods)
    splits = {name: read_split(benchmark / name / split) for name in config.datasets}
    check_unseen(splits, *config.fitted_on(benchmark))
    with tracking.stage("guarantee", knobs.model_dump()) as run:
        progress = partial(tqdm, desc="guarantee", disable=None)
        GUARANTEES.write(table, guarantee(predictions, splits, methods, knobs, seed, progress))
        frame = GUARANTEES.read(table)  # as it is written, so that both files agree to the last digit
        write_summary(reports / "guarantees.json", frame)
        run.metrics({"broken": guarantees_json(frame)["shift"]})
    print(
        f"{len(frame)} numbers; promises broken where they were made:", *(broken_promises(frame) or ["none"]), sep="\n"
    )


if __name__ == "__main__":
    run_stage(main)
