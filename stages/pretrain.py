"""Pretrain: the embedded sam2_nano. Frozen in dvc.yaml: its weights are shipped."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split


def main(benchmark: Path, snapshot: Path, out: Path, curve: Path) -> None:
    """Train on the pretrain splits of the photos under `benchmark` and on drawn scenes.

    Goes on where it was stopped, on another machine from `snapshot`, which is written anew with every saved state.
    """
    from uncertsam.models.checkpoints import save_embedded
    from uncertsam.models.efficientnet import EfficientNetLite0, imagenet_state
    from uncertsam.pretraining.curve import Curve
    from uncertsam.pretraining.materials import Materials, draw_textures
    from uncertsam.pretraining.photos import training_facts, weighted
    from uncertsam.pretraining.run import Leg, State, decoder_of, pretrain
    from uncertsam.pretraining.snapshot import read_snapshot, write_snapshot
    from uncertsam.training.resume import ResumeState

    knobs = Config.read().pretrain
    settings = knobs.model_dump(mode="json")
    splits = {name: read_split(benchmark / name / "pretrain") for name in knobs.sources}
    with tracking.stage("pretrain", settings) as run:
        sources = [(splits[name], source.share, source.merged) for name, source in knobs.sources.items()]
        textures = draw_textures(knobs.seed, knobs.textures, knobs.texture_size)
        photos, weights = weighted(sources, knobs.longest)
        materials = Materials(photos, textures, weights)
        trunk = {f"image_encoder.trunk.{k}": v for k, v in imagenet_state(EfficientNetLite0()).items()}
        hashes = sorted(image.sha256 for split in splits.values() for image in split)
        resume = ResumeState(Path(".resume"), "sam2_nano", [settings, hashes])

        def keep(state: State) -> None:
            resume.save(state)
            write_snapshot(snapshot, state)

        def log(step: int, values: dict[str, float]) -> None:
            rows.log(step, values)
            if step % 50 == 0:
                for name, value in values.items():
                    run.metric_step(name, value, step)

        legs = [Leg(**leg.model_dump()) for leg in knobs.legs]
        state = resume.load() or read_snapshot(snapshot)
        before = sum(leg.steps for leg in legs[: state["leg"]]) + state["step"] if state else 0
        rows = Curve(curve, before)
        start = decoder_of(knobs.start) | trunk
        network = pretrain(legs, start, materials, knobs.seed, state, keep, knobs.save_every, log)
        save_embedded(network, "sam2_nano", out, training_facts(splits, settings))
        resume.clear()
        run.artifact(out)
    print(f"trained sam2_nano, wrote {out}")


if __name__ == "__main__":
    run_stage(main)
