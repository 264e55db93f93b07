"""Acquire: bring one raw dataset within reach and write down the hash of every file."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.files import refuse_odd_names
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.raw import acquire
from uncertsam.data.raw.remote import published


def main(dataset: str, source: Path, out: Path, archives: Path, hashes: Path) -> None:
    """Generate a synthetic world, download a published set into `archives` first, or take stock of a local folder."""
    spec = Config.read().data[dataset]
    with tracking.stage("acquire", spec.model_dump(mode="json"), dataset=dataset):
        if spec.acquire == "generate":
            acquire.generate(source.stem, spec.options, out)
        elif spec.acquire == "download":
            published.download(spec.options, out, archives, hashes)
        else:
            refuse_odd_names(source)
            acquire.local(source, out)
    print(f"acquired {dataset} from {source}")


if __name__ == "__main__":
    run_stage(main)
