"""Ablate: how much of Laplace's gain is Bayes, and how much another token, gate or precision, on a fixed subset.

Factors, subset and what is judged were registered in profiles/controls_registration.md before anything was run.
"""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import Split, read_split
from uncertsam.data.splits import check_unseen
from uncertsam.experiments.controls.table import CONTROLS, metrics_of, summary
from uncertsam.experiments.subset import MASKS, check_registered, drawn, listing
from uncertsam.statistics.intervals import facts_of
from uncertsam.statistics.table import PER_MASK, check_table


def main(benchmark: Path, embeddings: Path, fitted: Path, reports: Path) -> None:
    """Write every control's measures; their means, Shapley values and differences with intervals; the list of masks."""
    from uncertsam.experiments.controls.run import ControlInputs
    from uncertsam.experiments.controls.single import settings_of
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import set_threads

    config = Config.read()
    base, knobs = config.base, config.ablate
    chosen = _subset(config, benchmark)
    rows = listing(chosen)
    check_registered(rows, knobs.subset)
    check_unseen(chosen, benchmark / config.fit.dataset / "fit")
    with tracking.stage("ablate", knobs.model_dump()) as run:
        set_threads(base.threads)
        model = load_model(config.model.name, config.model.weights, device_named(base.device))
        bench = ControlInputs(model, benchmark, embeddings, fitted, config)
        check_unseen(chosen, bench.calibration().split.root)
        single = bench.single()
        found = bench.run(chosen, single)
        check_table(found)
        facts = {name: facts_of(split) for name, split in chosen.items()}
        draws = config.tabulate.resamples
        frame = summary(found, facts, settings_of(single), draws, base.seed)
        PER_MASK.write(reports / "controls.parquet", found)
        CONTROLS.write(reports / "controls.csv", frame)
        MASKS.write(reports / "controls_subset.csv", rows)
        run.metrics(metrics_of(frame))
    print(f"controlled {len(rows)} masks of {len(chosen)} datasets in {found['method'].nunique()} ways")


def _subset(config: Config, benchmark: Path) -> dict[str, Split]:
    """The registered masks of each dataset."""
    split, knobs = config.predict.split, config.ablate
    names = knobs.datasets or config.datasets
    return {n: drawn(read_split(benchmark / n / split), knobs.images, knobs.masks, knobs.seed) for n in names}


if __name__ == "__main__":
    run_stage(main)
