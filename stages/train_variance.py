"""Train the variance network: it learns the squared error of SAM's probability on the fit split of one dataset."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.tracking import Part


def main(dataset: str, benchmark: Path, embeddings: Path, model: str, out: Path, curve: Path) -> None:
    """Write the best and the last weights, and the losses of every step; goes on where it was stopped."""
    from uncertsam.methods.variance.network import BEST, LAST, save
    from uncertsam.methods.variance.training import CODE, VarianceTask
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import set_threads
    from uncertsam.training.domains import Domain, Training
    from uncertsam.training.engine import one_device
    from uncertsam.training.summary import outcome, write_curve

    config = Config.read()
    base, knobs = config.base, config.train_variance
    with tracking.stage("train_variance", knobs.model_dump(), "variance", dataset) as run:
        set_threads(base.threads)
        network = load_model(model, config.model_named(model).weights, device_named(base.device))
        domain = Domain.read(dataset, benchmark, embeddings, network)
        devices = one_device(network.device, knobs.precision)
        training = Training(network, knobs, base.seed, devices, CODE)

        def log(step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                run.metric_step(name, value, step)

        resume = training.resume(Path(".resume"), "variance", [domain], [])
        trained = training.run(VarianceTask(network, knobs, base.seed), [domain], resume, log)
        if devices.global_rank == 0:
            save(out, network, trained.best, trained.last, knobs.model_dump(), {dataset: domain.digest})
            write_curve(trained.curve, curve)
            resume.clear()
            run.metrics(outcome(trained))
            run.artifact(curve)
            for name, file in {"best": BEST, "last": LAST}.items():
                run.model(Part(name, out, file))
    print(f"trained the variance network on {dataset}: {outcome(trained)}")


if __name__ == "__main__":
    run_stage(main)
