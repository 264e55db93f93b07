"""Predict: one method answers every box of one dataset."""

import time
from pathlib import Path

from uncertsam import tracking
from uncertsam.data.format import read_split
from uncertsam.params import Base, Model, Params, Predict
from uncertsam.stage import run_stage


def main(
    method: str, dataset: str, benchmark: Path, embeddings: Path, weights: Path, out: Path, fitted: Path | None = None
) -> None:
    """Write the low-resolution mean logits and uncertainty of every mask."""
    from uncertsam.sam.checkpoints import device_named, load_model
    from uncertsam.sam.store import open_embeddings, set_threads
    from uncertsam.uncertainty import load_method
    from uncertsam.uncertainty.core.cells import Cell, predict_cell

    params = Params.read()
    base, knobs, name = params.section("base", Base), params.section("predict", Predict), params.section("model", Model)
    kind = load_method(method)
    chosen = params.section(method, kind.Params)
    with tracking.stage("predict", chosen.model_dump(), method, dataset) as run:
        set_threads(base.threads)
        model = load_model(name.name, weights, device_named(base.device))
        built = kind.build(chosen, model, fitted)
        split = read_split(benchmark / knobs.split)
        cell = Cell(model, built, open_embeddings(embeddings, model), split, dataset, base.seed)
        meta = {
            "method": method,
            "dataset": dataset,
            "model": model.name,
            "model_sha256": model.digest,
            "params": chosen.model_dump(),
            "measure": built.measure.name,
            "synthetic": split.info.get("synthetic", False),
        }
        begun = time.perf_counter()
        index = predict_cell(cell, out, meta)
        seconds = time.perf_counter() - begun
        run.metrics({"masks": len(index), "seconds_per_mask": seconds / len(index)})
    print(f"{method} answered {len(index)} masks of {dataset}")


if __name__ == "__main__":
    run_stage(main)
