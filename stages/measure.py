"""Measure: every metric of every mask of one dataset, at the original resolution, and its curves, method by method."""

from functools import partial
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.compute import Pool, kept_shards, opened
from uncertsam.config.params import Config
from uncertsam.experiments.refinement.names import methods_of
from uncertsam.metrics.measure import Measures, Shard, measure_cell
from uncertsam.statistics.metric_cache import MetricCache


def main(dataset: str, benchmark: Path, predictions: Path, out: Path, refined: bool = False) -> None:
    """Compare each method's maps with the truth; what was measured of the very same maps before is kept.

    refined: the rows of the refinement's table instead of the methods.
    """
    config = Config.read()
    truth, methods = benchmark / config.predict.split, list(config.methods)
    if refined:
        arms = config.train_fusion.arms
        methods = methods_of(arms, config.refine.steps)
    store = MetricCache(out, predictions, truth)
    store.forget_others(methods)
    changed = [method for method in methods if not store.holds(method)]
    with opened(config.engine) as pool:
        for method in changed:
            with tracking.stage("measure_refined" if refined else "measure", {}, method=method, dataset=dataset) as run:
                store.write(method, _measured(store, method, dataset, pool))
                run.metrics(store.means(method))
    print(f"measured {len(changed)} methods on {dataset}, kept {len(methods) - len(changed)}")


def _measured(store: MetricCache, method: str, dataset: str, pool: Pool) -> Measures:
    """One method's measures, shard by shard; those of an attempt that was broken off are not measured again."""
    with kept_shards(Path(".resume", "measure", dataset, method), store.origin(method)) as finished:
        each = partial(pool.map, desc=f"measure {method}", size=_images, finished=finished)
        model = store.predictions.parent.name
        return measure_cell(store.predictions / method, store.truth, method, dataset, each, model=model)


def _images(shard: Shard) -> int:
    return len(shard.split)


if __name__ == "__main__":
    run_stage(main)
