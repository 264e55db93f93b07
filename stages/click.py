"""Click: does a click where a method is unsure help more than a random one? On a fixed subset of masks."""

from pathlib import Path

from uncertsam.app.experiments import run_experiment
from uncertsam.base.stage import run_stage


def main(benchmark: Path, embeddings: Path, fitted: Path, reports: Path) -> None:
    """Write every mask's IoU after each click, and means and paired differences with their intervals."""
    run_experiment("clicking", reports, benchmark=benchmark, embeddings=embeddings, fitted=fitted)


if __name__ == "__main__":
    run_stage(main)
