"""Encode: every image goes through the frozen encoder once."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.params import Base, Encode, Model, Params
from uncertsam.stage import run_stage


def main(dataset: str, benchmark: Path, weights: Path, out: Path) -> None:
    """Write the embeddings of one dataset, or note that they are to be streamed."""
    from uncertsam.sam.checkpoints import device_named, load_model
    from uncertsam.sam.store import encode_dataset, set_threads

    params = Params.read()
    base, encode = params.section("base", Base), params.section("encode", Encode)
    with tracking.stage("encode", encode.model_dump(), dataset=dataset) as run:
        set_threads(base.threads)
        model = load_model(params.section("model", Model).name, weights, device_named(base.device))
        written = encode_dataset(model, benchmark, out, encode.dtype, encode.batch, encode.stream)
        run.metrics(written)
    print(f"encoded {written['images']} images of {dataset}")


if __name__ == "__main__":
    run_stage(main)
