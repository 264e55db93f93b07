"""Train fusion: the modules of one arm, which turn an answer and its doubt into the prompt of a second pass."""

from itertools import product
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.files import sha256
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.tracking import Part


def main(arm: str, benchmark: Path, embeddings: Path, model: str, fitted: Path, out: Path, curve: Path) -> None:
    """Write the modules with the least held-out loss, one per domain left out; goes on where it was stopped."""
    from uncertsam.config.arms import arm_named
    from uncertsam.experiments.refinement.first_pass import first_pass
    from uncertsam.experiments.refinement.fusion import BEST, EVERY, LAST
    from uncertsam.experiments.refinement.training import CODE, ArmTraining, folds
    from uncertsam.methods.posterior.state import load
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import set_threads
    from uncertsam.training.domains import Domain, Training
    from uncertsam.training.engine import one_device
    from uncertsam.training.summary import outcome

    config = Config.read()
    base, knobs, kind = config.base, config.train_fusion, arm_named(arm)
    with tracking.stage("train_fusion", knobs.model_dump(), f"fusion_{arm}") as run:
        set_threads(base.threads)
        network = load_model(model, config.model_named(model).weights, device_named(base.device))
        first = first_pass(kind, knobs, load(fitted, network))
        facts, devices = sha256(fitted / "manifest.json"), one_device(network.device, knobs.precision)
        chosen = folds(kind, knobs, config.datasets, benchmark)
        names = sorted({name for fold in chosen.values() for name in fold})
        domains = {name: Domain.read(name, benchmark / name, embeddings / name, network) for name in names}
        plan = {fold: [domains[name] for name in trained_on] for fold, trained_on in chosen.items()}
        shared = Training(network, knobs, base.seed, devices, CODE)
        training = ArmTraining(arm, first, knobs, plan, facts, shared, Path(".resume"))

        def log(fold: str, step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                run.metric_step(name if fold == EVERY else f"{fold}.{name}", value, step)

        found = training.run(log)
        if devices.global_rank == 0:
            training.write(found, out, curve)
            for fold, trained in found.items():
                run.metrics(outcome(trained) if fold == EVERY else {fold: outcome(trained)})
            run.artifact(curve)
            for fold, (which, file) in product(found, {"best": BEST, "last": LAST}.items()):
                run.model(Part(f"{arm}_{which}" + (f"_without_{fold}" if fold != EVERY else ""), out, file, fold))
            training.forget()
    print(f"trained {len(found)} modules of fusion_{arm}")


if __name__ == "__main__":
    run_stage(main)
