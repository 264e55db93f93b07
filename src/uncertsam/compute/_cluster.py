"""Workers on a Ray cluster. Ray is an optional extra, and imported here alone."""

import os
from typing import Any

from uncertsam.base.errors import UserError
from uncertsam.compute._messages import Died, answer


class Cluster:
    """A `Backend`: every shard is a Ray task of `threads` CPUs (null: 1), on whichever node has them free.

    Every node needs this package, and the working folder under the same path: files are named relative to it. The
    cluster is the one that the process is connected to, else that of RAY_ADDRESS, else one started here. Ray itself
    retries nothing: it does not count a task that ran out of memory, and `Pool` counts all deaths.
    """

    def __init__(self, workers: int, threads: int | None) -> None:
        self.slots, self.threads, self._ray = workers, threads or 1, _ray()
        self._ours = not self._ray.is_initialized()
        if self._ours:
            self._ray.init(logging_level="warning", log_to_driver=False)
        self._task = self._ray.remote(_answer_in).options(num_cpus=self.threads, max_retries=0)
        self._busy: dict[Any, int] = {}

    def submit(self, number: int, message: bytes) -> None:
        self._busy[self._task.remote(os.getcwd(), message, self.threads)] = number

    def wait(self) -> list[tuple[int, bytes | Died]]:
        ready, _ = self._ray.wait(list(self._busy), num_returns=1)
        return [(self._busy.pop(reference), self._received(reference)) for reference in ready]

    def close(self) -> None:
        for reference in self._busy:
            self._ray.cancel(reference, force=True)
        self._busy = {}
        if self._ours:
            self._ray.shutdown()

    def _received(self, reference: Any) -> bytes | Died:
        try:
            return bytes(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or ["nothing else"]
            failed = isinstance(error, self._ray.exceptions.RayTaskError)  # says last what went wrong
            return Died(f"Ray says {type(error).__name__}: {lines[-1 if failed else 0]}")


def _answer_in(folder: str, message: bytes, threads: int) -> bytes:
    os.chdir(folder)
    return answer(message, threads)


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UserError(
            "engine.backend: ray is not installed.",
            "Run `pip install 'uncertsam[ray]'`, or set it to serial or processes.",
        ) from None
    return ray
