"""Measure: every metric of every mask of one dataset, at the original resolution, and its curves, method by method."""

from functools import partial
from pathlib import Path

from tqdm import tqdm

from uncertsam import tracking
from uncertsam.metrics.measure import measure_cell
from uncertsam.params import Params, Predict, Refine
from uncertsam.refinement.names import methods_of
from uncertsam.results.measured import Measured
from uncertsam.stage import run_stage
from uncertsam.training.settings import TrainFusion


def main(dataset: str, benchmark: Path, predictions: Path, out: Path, refined: bool = False) -> None:
    """Compare each method's maps with the truth; what was measured of the very same maps before is kept.

    refined: the rows of the refinement's table instead of the methods.
    """
    params = Params.read()
    truth, methods = benchmark / params.section("predict", Predict).split, params.names("methods")
    if refined:
        arms = params.section("train_fusion", TrainFusion).every_arm
        methods = methods_of(arms, params.section("refine", Refine).steps)
    store, done = Measured(out, predictions, truth), 0
    store.forget_others(methods)
    for method in methods:
        if store.holds(method):
            continue
        with tracking.stage("measure_refined" if refined else "measure", {}, method=method, dataset=dataset) as run:
            progress = partial(tqdm, desc=f"measure {method}", disable=None)
            store.write(method, measure_cell(predictions / method, truth, method, dataset, progress))
            run.metrics(store.means(method))
        done += 1
    print(f"measured {done} methods on {dataset}, kept {len(methods) - done}")


if __name__ == "__main__":
    run_stage(main)
