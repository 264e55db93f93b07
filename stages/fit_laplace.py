"""Fit: the curvature of SAM 2's last layer, summed over the fit split of one dataset."""

from functools import partial
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256
from uncertsam.base.stage import run_stage
from uncertsam.compute import opened
from uncertsam.config.params import Config
from uncertsam.tracking import Part


def main(dataset: str, benchmark: Path, embeddings: Path, model: str, out: Path) -> None:
    """Write the posterior of the last layer around the pretrained weights."""
    from uncertsam.inference.spec import PromptSetSpec
    from uncertsam.methods.posterior.spec import NamedFit, fit_named
    from uncertsam.methods.posterior.state import FILE, save
    from uncertsam.models.spec import ModelSpec
    from uncertsam.models.store import set_threads

    if not (benchmark / "fit").is_dir():
        raise UserError(
            f"{dataset} has no fit split.",
            f"Give data.{dataset}.split a share for `fit` (a set of fewer than 10 groups is only tested on), or set "
            "fit.dataset to another one.",
        )
    config = Config.read()
    base, knobs = config.base, config.fit_laplace
    with tracking.stage("fit_laplace", knobs.model_dump(), "laplace", dataset) as run:
        set_threads(base.threads)
        spec = ModelSpec(model, config.model_named(model).weights, base.device)
        data = PromptSetSpec(spec, embeddings, benchmark / "fit", dataset, base.seed)
        with opened(config.engine) as pool:
            state = fit_named(NamedFit(data, knobs), partial(pool.stream, desc="fit", size=len))
        save(state, out, {dataset: sha256(benchmark / "fit" / "annotations" / "dataset.json")})
        run.metrics({"images": state.images, "prior_precision": float(state.prior_precision)})
        run.artifact(out)
        run.model(Part("laplace", out, FILE))
    print(f"fitted Laplace on {state.images} images of {dataset}, prior precision {float(state.prior_precision):.4g}")


if __name__ == "__main__":
    run_stage(main)
