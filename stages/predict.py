"""Predict: every method answers every box of one dataset."""

import time
from pathlib import Path

from uncertsam import tracking
from uncertsam.data.format import read_split
from uncertsam.params import Base, Model, Params, Predict
from uncertsam.stage import run_stage


def main(dataset: str, benchmark: Path, embeddings: Path, weights: Path, fitted: Path, out: Path) -> None:
    """Write the low-resolution mean logits and uncertainty of every mask; what would come out the same is kept."""
    from uncertsam.sam.checkpoints import device_named, load_model
    from uncertsam.sam.store import open_embeddings, set_threads
    from uncertsam.uncertainty import load_method
    from uncertsam.uncertainty.core.answered import Answered
    from uncertsam.uncertainty.core.cells import Cell, predict_cell

    params = Params.read()
    base, knobs, name = params.section("base", Base), params.section("predict", Predict), params.section("model", Model)
    set_threads(base.threads)
    model = load_model(name.name, weights, device_named(base.device))
    store, split = open_embeddings(embeddings, model), read_split(benchmark / knobs.split)
    facts = {"dataset": dataset, "model": model.name, "model_sha256": model.digest}
    read = [benchmark / knobs.split / "annotations" / "dataset.json", embeddings / "index.json"]
    cells = Answered(out, facts | {"seed": base.seed, "split": knobs.split}, read, fitted)
    methods, answered = params.names("methods"), 0
    cells.forget_others(methods)
    for method in methods:
        kind = load_method(method)
        chosen = params.section(method, kind.Params)
        if cells.holds(method, chosen.model_dump()):
            continue
        with tracking.stage("predict", chosen.model_dump(), method, dataset) as run:
            built = kind.build(chosen, model, cells.part(method))
            about = {"params": chosen.model_dump(), "made_from": cells.origin(method, chosen.model_dump())}
            shown = {"measure": built.measure.name, "synthetic": split.info.get("synthetic", False)}
            begun = time.perf_counter()
            cell = Cell(model, built, store, split, dataset, base.seed)
            index = predict_cell(cell, out / method, {"method": method, **facts, **about, **shown})
            run.metrics({"masks": len(index), "seconds_per_mask": (time.perf_counter() - begun) / len(index)})
        answered += 1
    print(f"{answered} methods answered on {dataset}, kept {len(methods) - answered}")


if __name__ == "__main__":
    run_stage(main)
