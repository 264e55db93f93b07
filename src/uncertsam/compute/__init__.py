"""Work spread over shards: a pure function is called once for each, here, in processes, or on a Ray cluster.

    with opened(Engine(backend="processes", workers=4)) as pool, kept_shards(Path(".resume/measure"), KEY) as kept:
        found = pool.map(partial(measure, folder), shards, desc="measure", finished=kept)

The results are those of `[work(shard) for shard in shards]`, in that order, whatever the backend and however many the
workers. So a shard must hold all that its result depends on, random seeds by name (`uncertsam.base.rng`) included, and
doing it twice must do no harm: a shard whose worker was killed is done again. Workers and pipes are ours since one
killed worker breaks a whole executor of joblib (loky) or concurrent.futures, the other shards' futures with it.
"""

from uncertsam.compute._checkpoint import kept_shards
from uncertsam.compute._pool import Pool, map_shards, opened
from uncertsam.compute.shards import cut
from uncertsam.config.sections import Engine

__all__ = ["Engine", "Pool", "cut", "kept_shards", "map_shards", "opened"]
