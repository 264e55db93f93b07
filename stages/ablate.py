"""Ablate: how much of Laplace's gain is Bayes, and how much another token, gate or precision, on a fixed subset.

Factors, subset and what is judged were registered in profiles/controls_registration.md before anything was run.
"""

from pathlib import Path

from uncertsam.app.experiments import run_experiment
from uncertsam.base.stage import run_stage


def main(benchmark: Path, embeddings: Path, fitted: Path, reports: Path) -> None:
    """Write every control's measures; their means, Shapley values and differences with intervals; the list of masks."""
    run_experiment("controls", reports, benchmark=benchmark, embeddings=embeddings, fitted=fitted)


if __name__ == "__main__":
    run_stage(main)
