"""Pretrain: the embedded sam2_nano, from scratch. Frozen in dvc.yaml: its weights are shipped."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.data.format import read_split
from uncertsam.params import Params, Pretrain
from uncertsam.stage import run_stage


def main(photos: Path, out: Path) -> None:
    """Train on the photos of a pretrain split and on synthetic scenes; goes on where it was stopped."""
    from uncertsam.sam.checkpoints import save_embedded
    from uncertsam.training.materials import Materials, draw_textures
    from uncertsam.training.photos import read_photos, training_facts
    from uncertsam.training.resume import ResumeState
    from uncertsam.training.run_pretrain import Phase, pretrain

    knobs = Params.read().section("pretrain", Pretrain)
    split, settings = read_split(photos), knobs.model_dump()
    with tracking.stage("pretrain", settings) as run:
        textures = draw_textures(knobs.seed, knobs.textures, knobs.texture_size)
        materials = Materials(list(read_photos(split, knobs.longest)), textures)
        resume = ResumeState(Path(".resume"), "sam2_nano", [settings, sorted(i.sha256 for i in split)])

        def log(step: int, values: dict[str, float]) -> None:
            if step % 50 == 0:
                for name, value in values.items():
                    run.metric_step(name, value, step)

        phases = Phase(**settings["geometry"]), Phase(**settings["scenes"])
        model = pretrain(*phases, materials, knobs.seed, resume, knobs.save_every, log)
        save_embedded(model.network, out, training_facts(split, settings))
        resume.clear()
        run.artifact(out)
    print(f"trained sam2_nano, wrote {out}")


if __name__ == "__main__":
    run_stage(main)
