"""Evaluate USAM: which masks to improve first and how, and which to keep."""

from pathlib import Path

from uncertsam.app.experiments import run_experiment
from uncertsam.base.stage import run_stage


def main(benchmark: Path, tokens: Path, fitted: Path, reports: Path) -> None:
    """Write the area under each score's curve for every decision, and how well scores tell bad masks."""
    run_experiment("decisions", reports, benchmark=benchmark, tokens=tokens, fitted=fitted)


if __name__ == "__main__":
    run_stage(main)
