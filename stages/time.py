"""Time: what each method costs, in milliseconds and megabytes per mask; all in one process, taking turns."""

from pathlib import Path

from uncertsam.app.experiments import run_experiment
from uncertsam.base.stage import run_stage


def main(benchmark: Path, embeddings: Path, fitted: Path, reports: Path) -> None:
    """Time every method on a few masks that are not reported: their numbers change from run to run."""
    run_experiment("cost", reports, benchmark=benchmark, embeddings=embeddings, fitted=fitted)


if __name__ == "__main__":
    run_stage(main)
