"""Shards are given out, counted, put in order and kept; backends only carry them."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.compute._checkpoint import Finished
from uncertsam.compute._messages import Backend, Died, opened_answer, question
from uncertsam.compute._prefetch import TwoParts, ahead
from uncertsam.config.sections import Engine

RETRIES = 2  # of a shard whose worker died: once may be a node's fault, three times is the shard's

Shard = TypeVar("Shard")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Pool:
    """Workers that are ready; without a backend, the calling process itself."""

    backend: Backend | None = None
    retries: int = RETRIES

    def map(
        self,
        work: Callable[[Shard], Result],
        shards: Sequence[Shard],
        desc: str = "",
        size: Callable[[Shard], int] = lambda shard: 1,
        finished: Path | None = None,
    ) -> list[Result]:
        """`[work(shard) for shard in shards]`, all results together; the rest as in `stream`."""
        return list(self.stream(work, shards, desc, size, finished))

    def stream(
        self,
        work: Callable[[Shard], Result],
        shards: Sequence[Shard],
        desc: str = "",
        size: Callable[[Shard], int] = lambda shard: 1,
        finished: Path | None = None,
    ) -> Iterator[Result]:
        """The result of `work` for each shard, in their order, with a bar named `desc` that counts `size` of them.

        In memory are those that came before their turn and are not kept in `finished`.
        work: pure, harmless when repeated, and (as shards and results are) picklable: a function of a module, or a
        partial of one; where it is `TwoParts`, the calling process reads ahead. finished: a folder of this very call,
        where finished shards are kept for the next attempt; the caller removes it. Raises what the first shard raised
        that failed, as it is, after the results before it were given; UserError where a shard's worker died more than
        `retries` times.
        """
        store, sizes = Finished(finished, len(shards)), [size(shard) for shard in shards]
        kept = set(store.numbers())
        coming = self._each(work, {number: shard for number, shard in enumerate(shards) if number not in kept})
        early: dict[int, Result] = {}
        with tqdm(total=sum(sizes), initial=sum(sizes[n] for n in kept), desc=desc, disable=None) as bar:
            for number in range(len(shards)):
                while number not in kept and number not in early:
                    arrived, result = next(coming)
                    if store.write(arrived, result) and arrived != number:
                        kept.add(arrived)  # to be read in its turn: the others may wait long for this one
                    else:
                        early[arrived] = result
                    bar.update(sizes[arrived])
                    del result  # so that it is gone once its reader is done with it
                yield early.pop(number) if number in early else store.read(number)

    def _each(self, work: Callable[[Shard], Result], shards: Mapping[int, Shard]) -> Iterator[tuple[int, Result]]:
        """The results as they come."""
        if self.backend is None and isinstance(work, TwoParts):
            return ahead(work, shards.items())
        if self.backend is None:
            return ((number, work(shard)) for number, shard in shards.items())
        return _Round(self.backend, work, shards, self.retries).results()


class _Round:
    """One call's shards, on their way through a backend."""

    def __init__(self, backend: Backend, work: Callable[[Any], Any], shards: Mapping[int, Any], retries: int) -> None:
        self.backend, self.work, self.shards, self.retries = backend, work, shards, retries
        self.ahead, self.away = deque(sorted(shards)), 0
        self.deaths: Counter[int] = Counter()
        self.failed: dict[int, Exception] = {}

    def results(self) -> Iterator[tuple[int, Any]]:
        """Number and result, as they come. Raises the error of the first shard in order that failed."""
        self._give_out()
        while self.away:
            for number, data in self.backend.wait():
                self.away -= 1
                good, value = self._died(number, data) if isinstance(data, Died) else opened_answer(data)
                if good:
                    yield number, value
                elif value is not None:
                    self.failed[number] = value
            self._give_out()
        if self.failed:
            raise self.failed[min(self.failed)]

    def _give_out(self) -> None:
        """Nothing beyond a failed shard is begun, all before it is: so the error is always the same one."""
        last = min(self.failed, default=math.inf)
        while self.ahead and self.away < self.backend.slots and self.ahead[0] < last:
            number = self.ahead.popleft()
            self.backend.submit(number, question(self.work, self.shards[number]))
            self.away += 1

    def _died(self, number: int, death: Died) -> tuple[bool, Exception | None]:
        """The error, once it is the last death allowed; before that none, and the shard is next."""
        self.deaths[number] += 1
        if self.deaths[number] <= self.retries:
            self.ahead.appendleft(number)
            return False, None
        problem = f"The worker of shard {number} died {self.deaths[number]} times; the last time {death.how}."
        return False, UserError(problem, "If memory ran out, set engine.workers lower; else look into that shard.")


@contextmanager
def opened(settings: Engine | None = None) -> Iterator[Pool]:
    """Workers for any number of calls; all of them end with the block, however it ends. None: the calling process.

    Raises UserError where the backend is `ray` and Ray is not installed.
    """
    backend = _backend(settings or Engine())
    try:
        yield Pool(backend)
    finally:
        if backend is not None:
            backend.close()


def map_shards(
    work: Callable[[Shard], Result],
    shards: Sequence[Shard],
    settings: Engine | None = None,
    desc: str = "",
    finished: Path | None = None,
) -> list[Result]:
    """`Pool.map` with workers of its own. Raises as `opened` and `Pool.map` do."""
    with opened(settings) as pool:
        return pool.map(work, shards, desc, finished=finished)


def _backend(settings: Engine) -> Backend | None:
    if settings.backend == "processes":
        from uncertsam.compute._processes import Processes

        return Processes(settings.workers, settings.threads)
    if settings.backend == "ray":
        from uncertsam.compute._cluster import Cluster

        return Cluster(settings.workers, settings.threads)
    return None
