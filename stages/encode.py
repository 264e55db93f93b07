"""Encode: every image goes through the frozen encoder once."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.compute import opened
from uncertsam.config.params import Config

if TYPE_CHECKING:
    from uncertsam.models.store import Shard


def main(dataset: str, benchmark: Path, model: str, out: Path) -> None:
    """Write the embeddings of one dataset, or note that they are to be streamed."""
    from uncertsam.models.spec import ModelSpec
    from uncertsam.models.store import encode_dataset, set_threads

    config = Config.read()
    base, encode = config.base, config.encode
    with tracking.stage("encode", encode.model_dump(), dataset=dataset) as run:
        set_threads(base.threads)
        spec = ModelSpec(model, config.model_named(model).weights, base.device)
        with opened(config.engine) as pool:
            each = partial(pool.stream, desc="encode", size=_images)
            written = encode_dataset(spec, benchmark, out, encode.dtype, encode.batch, encode.stream, each)
        run.metrics(written)
    print(f"encoded {written['images']} images of {dataset}")


def _images(shard: "Shard") -> int:
    return len(shard[1])


if __name__ == "__main__":
    run_stage(main)
