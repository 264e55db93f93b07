"""Extract tokens: what all models say of a dataset's objects for clicks, and how good it is."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.compute import kept_shards, opened
from uncertsam.config.params import Config


def main(dataset: str, split: str, benchmark: Path, embeddings: Path, out: Path) -> None:
    """Write the token store of one split; what an attempt that was broken off has finished is not done again."""
    from uncertsam.experiments.decisions.extraction import ExtractionSpec
    from uncertsam.methods.usam.tokens import write_tokens
    from uncertsam.models.spec import ModelSpec
    from uncertsam.models.store import set_threads

    config = Config.read()
    base, knobs = config.base, config.extract_tokens
    with tracking.stage("extract_tokens", knobs.model_dump(), "usam", dataset) as run:
        set_threads(base.threads)
        specs = tuple(ModelSpec(name, model.weights, base.device) for name, model in config.models.items())
        images = knobs.fit_images if split == "fit" else knobs.images
        task = ExtractionSpec(specs, embeddings, benchmark / split, dataset, knobs, images, base.seed)
        facts = {
            "dataset": dataset,
            "seed": base.seed,
            "params": knobs.model_dump(),
            "clusters": {str(image.id): image.cluster for image in task.opened.split},
        }
        with (
            opened(config.engine) as pool,
            kept_shards(Path(".resume", "extract_tokens", dataset, split), task.key) as finished,
        ):
            each = partial(pool.stream, desc=f"extract {dataset}", size=_images, finished=finished)
            parts = (part for part in each(task.observed, task.shards) if part)
            count = write_tokens(out, parts, task.opened.models, knobs.tokens, facts)
        run.metrics({"objects": count})
    print(f"extracted tokens of {count} objects of {dataset}")


def _images(shard: Sequence[int]) -> int:
    return len(shard)


if __name__ == "__main__":
    run_stage(main)
