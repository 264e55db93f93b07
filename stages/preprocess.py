"""Preprocess: a raw dataset becomes the benchmark format, divided by the split contract."""

from functools import partial
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.compute import opened
from uncertsam.config.params import Config
from uncertsam.data.raw.preprocess import preprocess
from uncertsam.data.splits import read_reserved


def main(dataset: str, raw: Path, reserved: Path, out: Path) -> None:
    """Convert one dataset; what the embedded model was trained on (`reserved`) never reaches a reported split."""
    config = Config.read()
    spec, contract = config.data[dataset], config.split
    with tracking.stage("preprocess", spec.model_dump(mode="json"), dataset=dataset) as run:
        seen = read_reserved(reserved)
        with opened(config.engine) as pool:
            each = partial(pool.map, desc="converting images", size=len)
            summary = preprocess(
                raw, out, dataset, spec.adapter, spec.adapter_options, spec.split, seen, contract.salt, contract.near,
                progress=False, each=each,
            )  # fmt: skip
        run.metrics(summary["splits"])
    print(f"preprocessed {dataset}: {summary['splits']}, {summary['skipped']} skipped")


if __name__ == "__main__":
    run_stage(main)
