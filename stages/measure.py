"""Measure: every metric of every mask of one dataset, at the original resolution, and its curves, method by method."""

from functools import partial
from pathlib import Path

from uncertsam import tracking
from uncertsam.base.stage import run_stage
from uncertsam.compute import Pool, kept_shards, opened
from uncertsam.config.params import Config
from uncertsam.metrics.measure import Measures, Shard, measure_cell
from uncertsam.statistics.metric_cache import MetricCache


def main(dataset: str, benchmark: Path, predictions: Path, refined: Path, out: Path) -> None:
    """Compare each method's maps with the truth; what was measured of the very same maps before is kept."""
    config = Config.read()
    truth = benchmark / config.predict.split
    stored = {**dict.fromkeys(config.methods, predictions), **dict.fromkeys(config.refined, refined)}
    caches = {method: MetricCache(out, folder, truth) for method, folder in stored.items()}
    MetricCache(out, predictions, truth).forget_others(caches)
    changed = [method for method, cache in caches.items() if not cache.holds(method)]
    with opened(config.engine) as pool:
        for method in changed:
            with tracking.stage("measure", {}, method=method, dataset=dataset) as run:
                caches[method].write(method, _measured(caches[method], method, dataset, pool))
                run.metrics(caches[method].means(method))
    print(f"measured {len(changed)} methods on {dataset}, kept {len(caches) - len(changed)}")


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
