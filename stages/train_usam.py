"""Train USAM: heads that predict IoUs and gains from stored tokens, by one protocol."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.files import written_aside
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.tracking import Part


def main(protocol: str, tokens: Path, out: Path, curve: Path) -> None:
    """Write the heads, and the held-out error of each; goes on where it was stopped."""
    from uncertsam.methods.usam.heads import FILE, head_names, save
    from uncertsam.methods.usam.protocols import protocol_named, size_names
    from uncertsam.methods.usam.tokens import TokenStore
    from uncertsam.methods.usam.training import Samples, train_heads
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.store import set_threads

    config = Config.read()
    base, knobs, device = config.base, config.train_usam, device_named(config.base.device)
    with tracking.stage("train_usam", knobs.model_dump(), f"usam_{protocol}") as run:
        set_threads(base.threads)
        models = {name: load_model(name, model.weights, device) for name, model in config.models.items()}
        stores = [TokenStore(tokens / name / "fit", [*models.values()]) for name in knobs.datasets]
        samples = Samples.read(stores, protocol_named(protocol), knobs.offset)

        def log(step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                run.metric_step(name, value, step)

        names = head_names(size_names([*models]), protocol)
        heads, trials = train_heads(samples, names, knobs, base.seed, device, Path(".resume", "usam", protocol), log)
        save(out, heads, models[base.model], protocol, {"params": knobs.model_dump()})
        with written_aside(curve) as aside:
            trials.to_csv(aside, index=False, float_format="%.8g")
        run.metrics({"samples": len(samples), **trials.groupby("head")["held_out_mse"].min()})
        run.artifact(curve)
        run.model(Part(f"usam_{protocol}", out, FILE))
    print(f"trained {len(names)} heads of USAM ({protocol}) on {len(samples)} samples")


if __name__ == "__main__":
    run_stage(main)
