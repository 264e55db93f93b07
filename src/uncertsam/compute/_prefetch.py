"""Work in two parts: what the next shards need is read while one is at work."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, runtime_checkable

READERS = 2  # threads beside those of `base.threads`, and how many shards are read ahead at most


@runtime_checkable
class TwoParts(Protocol):
    """Work on a shard, `finish(prepare(shard))`, whose first part waits for files and may run in any thread."""

    def __call__(self, shard: Any) -> Any: ...

    def prepare(self, shard: Any) -> Any: ...

    def finish(self, ready: Any) -> Any: ...


def ahead(work: TwoParts, shards: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Number and result of each shard, in their order. Raises what either part raises, in its turn."""
    waiting: deque[tuple[int, Future[Any]]] = deque()
    with ThreadPoolExecutor(READERS) as readers:
        try:
            for number, shard in shards:
                waiting.append((number, readers.submit(work.prepare, shard)))
                if len(waiting) > READERS:
                    yield _finished(work, *waiting.popleft())
            while waiting:
                yield _finished(work, *waiting.popleft())
        finally:  # an error, or nobody asks any more
            for _, ready in waiting:
                ready.cancel()


def _finished(work: TwoParts, number: int, ready: Future[Any]) -> tuple[int, Any]:
    return number, work.finish(ready.result())
