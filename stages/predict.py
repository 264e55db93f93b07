"""Predict: every method answers every box of one dataset."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uncertsam import tracking
from uncertsam.base.files import remove
from uncertsam.base.stage import run_stage
from uncertsam.compute import Pool, kept_shards, opened
from uncertsam.config.params import Config

if TYPE_CHECKING:
    from uncertsam.inference.spec import TaskSpec


def main(dataset: str, benchmark: Path, embeddings: Path, model: str, fitted: Path, out: Path) -> None:
    """Write the low-resolution mean logits and uncertainty of every mask; what would come out the same is kept."""
    from uncertsam.inference.prediction_cache import PredictionCache
    from uncertsam.inference.spec import PromptSetSpec, TaskSpec
    from uncertsam.models.spec import ModelSpec
    from uncertsam.models.store import set_threads

    config = Config.read()
    base, knobs = config.base, config.predict
    set_threads(base.threads)
    truth = benchmark / knobs.split
    spec = ModelSpec(model, config.model_named(model).weights, base.device)
    questions = PromptSetSpec(spec, embeddings, truth, dataset, base.seed)
    network, split = questions.opened.model, questions.opened.split
    facts = {"dataset": dataset, "model": network.name, "model_sha256": network.digest}
    read = [truth / "annotations" / "dataset.json", embeddings / "index.json"]
    cells = PredictionCache(out, facts | {"seed": base.seed, "split": knobs.split}, read, fitted)
    methods, answered = config.methods, 0
    cells.forget_others(list(methods))
    with opened(config.engine) as pool:
        for method, section in methods.items():
            chosen = section.model_dump()
            if cells.holds(method, chosen):
                remove(_kept(model, dataset, method))  # of an attempt that was broken off at its very end
                continue
            with tracking.stage("predict", chosen, method, dataset) as run:
                cell = TaskSpec(questions, method, chosen, cells.part(method))
                about = {"params": chosen, "made_from": cells.origin(method, chosen)}
                shown = {"synthetic": split.info.get("synthetic", False)}
                begun = time.perf_counter()
                masks = _answer(cell, out / method, {"method": method, **facts, **about, **shown}, pool)
                run.metrics({"masks": masks, "seconds_per_mask": (time.perf_counter() - begun) / masks})
            answered += 1
    print(f"{answered} methods answered on {dataset}, kept {len(methods) - answered}")


def _answer(cell: "TaskSpec", out: Path, meta: dict[str, Any], pool: Pool) -> int:
    """One method's answers, shard by shard, those of an attempt that was broken off not again; how many masks."""
    from uncertsam.inference.predictions import predict_cell

    key = f"{cell.opened.model.device.type}-{meta['made_from']}"
    with kept_shards(_kept(cell.questions.model.name, cell.questions.dataset, cell.method), key) as finished:
        each = partial(pool.stream, desc=f"predict {cell.method}", size=len, finished=finished)
        return len(predict_cell(cell, out, meta, each))


def _kept(model: str, dataset: str, method: str) -> Path:
    """Where finished shards are kept for the next attempt."""
    return Path(".resume", "predict", model, dataset, method)


if __name__ == "__main__":
    run_stage(main)
