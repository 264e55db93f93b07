"""Fit: the weights with which entropies foretell the error, on the calibrate split of one dataset."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split


def main(dataset: str, benchmark: Path, embeddings: Path, model: str, laplace: Path, out: Path) -> None:
    """Write one weight per source, none negative, and the posterior beside them."""
    from uncertsam.inference.predictions import PromptSet
    from uncertsam.methods.joint.calibration import pairs
    from uncertsam.methods.joint.combination import CombinationParams, fit, save
    from uncertsam.methods.posterior.state import load
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import open_embeddings, set_threads

    if not (benchmark / "calibrate").is_dir():
        raise UserError(
            f"{dataset} has no calibrate split.",
            f"Give data.{dataset}.split a share for `calibrate`, or set fit_combination.dataset to another one.",
        )
    config = Config.read()
    base, knobs = config.base, config.combination(CombinationParams)
    with tracking.stage("fit_combination", knobs.model_dump(), "combined_fitted", dataset) as run:
        set_threads(base.threads)
        network = load_model(model, config.model_named(model).weights, device_named(base.device))
        split, store = read_split(benchmark / "calibrate"), open_embeddings(embeddings, network)
        questions = PromptSet(network, store, split, dataset, base.seed)
        found = fit(network, pairs(questions, load(laplace, network), knobs), knobs)
        save(found, out, laplace, {dataset: sha256(benchmark / "calibrate" / "annotations" / "dataset.json")})
        run.metrics({"images": found.images, "offset": found.offset})
        run.artifact(out)
    print(f"fitted a combination on {found.images} images of {dataset}: {found.offset:.4g} + {found.weights}")


if __name__ == "__main__":
    run_stage(main)
