"""Measure: every metric of every mask of one dataset, at the original resolution, and its curves, method by method."""

from functools import partial
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.compute import Engine, Pool, kept_shards, opened
from uncertsam.config.params import Model, Params, Predict, Refine
from uncertsam.config.training import TrainFusion
from uncertsam.experiments.refinement.names import methods_of
from uncertsam.metrics.measure import Measures, Shard, measure_cell
from uncertsam.statistics.metric_cache import MetricCache


def main(dataset: str, benchmark: Path, predictions: Path, out: Path, refined: bool = False) -> None:
    """Compare each method's maps with the truth; what was measured of the very same maps before is kept.

    refined: the rows of the refinement's table instead of the methods.
    """
    params = Params.read()
    truth, methods = benchmark / params.section("predict", Predict).split, params.names("methods")
    model = params.section("model", Model).name
    if refined:
        arms = params.section("train_fusion", TrainFusion).every_arm
        methods = methods_of(arms, params.section("refine", Refine).steps)
    store = MetricCache(out, predictions, truth)
    store.forget_others(methods)
    changed = [method for method in methods if not store.holds(method)]
    with opened(params.section("engine", Engine)) as pool:
        for method in changed:
            with tracking.stage("measure_refined" if refined else "measure", {}, method=method, dataset=dataset) as run:
                store.write(method, _measured(store, method, dataset, model, pool))
                run.metrics(store.means(method))
    print(f"measured {len(changed)} methods on {dataset}, kept {len(methods) - len(changed)}")


def _measured(store: MetricCache, method: str, dataset: str, model: str, pool: Pool) -> Measures:
    """One method's measures, shard by shard; those of an attempt that was broken off are not measured again."""
    with kept_shards(Path(".resume", "measure", dataset, method), store.origin(method)) as finished:
        each = partial(pool.map, desc=f"measure {method}", size=_images, finished=finished)
        return measure_cell(store.predictions / method, store.truth, method, dataset, each, model=model)


def _images(shard: Shard) -> int:
    return len(shard.split)


if __name__ == "__main__":
    run_stage(main)
