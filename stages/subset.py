"""Subset: a seeded sample of a benchmark set, and the list of its images for others to check theirs against."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.sampling import draw


def main(name: str, benchmark: Path, out: Path, listing: Path) -> None:
    """Draw one sample; splits stay apart."""
    spec = Config.read().subset[name]
    with tracking.stage("subset", spec.model_dump(mode="json"), dataset=name) as run:
        counts = draw(benchmark, out, listing, name, spec.images, spec.masks, spec.seed)
        run.metrics(counts)
    print(f"drew {name}: {counts}")


if __name__ == "__main__":
    run_stage(main)
