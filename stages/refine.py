"""Refine: every arm asks SAM again about every box of one dataset, told of the first answer and its uncertainty."""

from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.config.params import Config
from uncertsam.data.format import read_split


def main(dataset: str, benchmark: Path, embeddings: Path, model: str, fitted: Path, out: Path) -> None:
    """Write the low-resolution logits and uncertainty of every mask, of each step and of the bound."""
    from uncertsam.base.files import written_aside
    from uncertsam.experiments.refinement.run import Refinement
    from uncertsam.inference.predictions import PromptSet
    from uncertsam.models.checkpoints import device_named, load_model
    from uncertsam.models.select import TokenPolicy
    from uncertsam.models.store import open_embeddings, set_threads

    config = Config.read()
    base, knobs, arms = config.base, config.refine, config.train_fusion.arms
    set_threads(base.threads)
    network = load_model(model, config.model_named(model).weights, device_named(base.device))
    split = read_split(benchmark / config.predict.split)
    questions = PromptSet(network, open_embeddings(embeddings, network), split, dataset, base.seed)
    facts = {"dataset": dataset, "model": network.name, "model_sha256": network.digest}
    meta = facts | {"synthetic": split.info.get("synthetic", False)}
    refinement = Refinement(questions, fitted, TokenPolicy(token=knobs.token, gate=knobs.gate), meta)
    with tracking.stage("refine", knobs.model_dump(), dataset=dataset) as run, written_aside(out) as folder:
        folder.mkdir(parents=True)
        run.metrics({"masks": refinement.bound(folder)})
        for arm in arms:
            refinement.arm(arm, knobs.steps, folder)
    print(f"refined the masks of {dataset} by {len(arms)} arms, {knobs.steps} times")


if __name__ == "__main__":
    run_stage(main)
