"""Train fusion: the modules of one arm, which turn an answer and its doubt into the prompt of a second pass."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.files import sha256, written_aside
from uncertsam.params import Base, Fit, Model, Params
from uncertsam.stage import run_stage


def main(arm: str, benchmark: Path, embeddings: Path, weights: Path, fitted: Path, out: Path, curve: Path) -> None:
    """Write the modules with the least held-out loss, one per domain left out; goes on where it was stopped."""
    from uncertsam.refinement.first_pass import arm_named, first_pass
    from uncertsam.refinement.params import FusionParams
    from uncertsam.refinement.state import EVERY, save
    from uncertsam.refinement.training import Domain, Training, curves, folds, outcome, train_folds
    from uncertsam.sam.checkpoints import device_named, load_model
    from uncertsam.sam.store import set_threads
    from uncertsam.training.engine import one_device
    from uncertsam.uncertainty.posterior.state import load

    params = Params.read()
    base, knobs, kind = params.section("base", Base), params.section("train_fusion", FusionParams), arm_named(arm)
    reported, general = params.names("datasets"), params.section("fit", Fit).dataset
    with tracking.stage("train_fusion", knobs.model_dump(), f"fusion_{arm}") as run:
        set_threads(base.threads)
        model = load_model(params.section("model", Model).name, weights, device_named(base.device))
        first = first_pass(kind, knobs, load(fitted, model))
        facts, devices = sha256(fitted / "manifest.json"), one_device(model.device, knobs.precision)
        training = Training(arm, model, first, knobs, facts, base.seed, devices)
        there = knobs.domains or [name for name in reported if (benchmark / name / "fit").is_dir()]
        names = folds(there, reported) if kind.left_out else {EVERY: [general]}
        needed = sorted({name for chosen in names.values() for name in chosen})
        domains = {name: Domain.read(name, benchmark, embeddings, model) for name in needed}

        def log(fold: str, step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                run.metric_step(name if fold == EVERY else f"{fold}.{name}", value, step)

        plan = {fold: [domains[name] for name in chosen] for fold, chosen in names.items()}
        found = train_folds(training, plan, Path(".resume"), log)
        data = {name: sha256(benchmark / name / "fit" / "annotations" / "dataset.json") for name in needed}
        told = {fold: {"data": {n: data[n] for n in names[fold]}, **outcome(trained)} for fold, trained in found.items()}
        save(out, arm, model, knobs.model_dump(), {fold: trained.best for fold, trained in found.items()}, told)
        with written_aside(curve) as aside:
            curves(found).to_csv(aside, index=False, float_format="%.8g")
        run.artifact(out)
    print(f"trained {len(found)} modules of fusion_{arm}")


if __name__ == "__main__":
    run_stage(main)
