"""Guarantee: what can be promised of the masks, and is it kept? Temperatures, conformal risk control, abstention."""

from pathlib import Path

from uncertsam.app.experiments import run_experiment
from uncertsam.base.stage import run_stage


def main(predictions: Path, benchmark: Path, reports: Path) -> None:
    """Calibrate and test on many random splits of the reported images; nothing fitted elsewhere looks at them."""
    run_experiment("guarantees", reports, benchmark=benchmark, predictions=predictions)


if __name__ == "__main__":
    run_stage(main)
