"""Fit: the weights with which entropies foretell the error, on the calibrate split of one dataset."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.data.format import read_split
from uncertsam.errors import UserError
from uncertsam.files import sha256
from uncertsam.params import Base, Model, Params
from uncertsam.stage import run_stage


def main(dataset: str, benchmark: Path, embeddings: Path, weights: Path, laplace: Path, out: Path) -> None:
    """Write one weight per source, none negative, and the posterior beside them."""
    from uncertsam.sam.checkpoints import device_named, load_model
    from uncertsam.sam.store import open_embeddings, set_threads
    from uncertsam.uncertainty.combined_fitted import Params as CombinedParams
    from uncertsam.uncertainty.core.cells import Questions
    from uncertsam.uncertainty.joint.calibration import pairs
    from uncertsam.uncertainty.joint.combination import fit, save
    from uncertsam.uncertainty.posterior.state import load

    if not (benchmark / "calibrate").is_dir():
        raise UserError(
            f"{dataset} has no calibrate split.",
            f"Give data.{dataset}.split a share for `calibrate`, or set combined_fitted.dataset to another one.",
        )
    params = Params.read()
    base, knobs = params.section("base", Base), params.section("combined_fitted", CombinedParams)
    with tracking.stage("fit_combination", knobs.model_dump(), "combined_fitted", dataset) as run:
        set_threads(base.threads)
        model = load_model(params.section("model", Model).name, weights, device_named(base.device))
        split, store = read_split(benchmark / "calibrate"), open_embeddings(embeddings, model)
        questions = Questions(model, store, split, dataset, base.seed)
        found = fit(model, pairs(questions, load(laplace, model), knobs), knobs.model_dump(mode="json"))
        save(found, out, laplace, {dataset: sha256(benchmark / "calibrate" / "annotations" / "dataset.json")})
        run.metrics({"images": found.images, "offset": found.offset})
        run.artifact(out)
    print(f"fitted a combination on {found.images} images of {dataset}: {found.offset:.4g} + {found.weights}")


if __name__ == "__main__":
    run_stage(main)
