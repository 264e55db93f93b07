"""Encode: every image goes through the frozen encoder once."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.compute import Engine, opened
from uncertsam.config.params import Base, Encode, Model, Params

if TYPE_CHECKING:
    from uncertsam.models.store import Shard


def main(dataset: str, benchmark: Path, weights: Path, out: Path) -> None:
    """Write the embeddings of one dataset, or note that they are to be streamed."""
    from uncertsam.models.spec import ModelSpec
    from uncertsam.models.store import encode_dataset, set_threads

    params = Params.read()
    base, encode = params.section("base", Base), params.section("encode", Encode)
    with tracking.stage("encode", encode.model_dump(), dataset=dataset) as run:
        set_threads(base.threads)
        model = ModelSpec(params.section("model", Model).name, weights, base.device)
        with opened(params.section("engine", Engine)) as pool:
            each = partial(pool.stream, desc="encode", size=_images)
            written = encode_dataset(model, benchmark, out, encode.dtype, encode.batch, encode.stream, each)
        run.metrics(written)
    print(f"encoded {written['images']} images of {dataset}")


def _images(shard: "Shard") -> int:
    return len(shard[1])


if __name__ == "__main__":
    run_stage(main)
