"""Running one experiment, as a stage does."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.config.params import Config
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.contract import experiment_named


def run_experiment(name: str, reports: Path, **folders: Path) -> None:
    """Write the tables of an experiment into `reports`, and record the run. folders: as `Bench` names them."""
    config, experiment = Config.read(), experiment_named(name)
    with tracking.stage(experiment.stage, getattr(config, experiment.settings).model_dump()) as run:
        tables = experiment.write(Bench(config, **folders), reports)
        run.metrics(experiment.metrics(tables))
    print(f"{name}: wrote", ", ".join(f"{len(tables[table])} rows of {table}" for table in tables.schemas))
