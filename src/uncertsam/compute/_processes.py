"""Workers that are processes of this machine, started afresh (spawn): they inherit neither threads nor locks."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from uncertsam.base.stage import PASSIVE, wait_passively
from uncertsam.compute._messages import Died, answer, limit_threads

PATIENCE = 5.0  # seconds that a worker has to put away what it writes, before it is killed


class Processes:
    """A `Backend`: each worker has a pipe of its own, whose end tells which shard a dead worker had."""

    def __init__(self, workers: int, threads: int | None) -> None:
        self.slots, self.threads = workers, threads or max(1, _cores() // workers)
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, tuple[int, _Worker]] = {}

    def submit(self, number: int, message: bytes) -> None:
        worker = self._idle.pop() if self._idle else _Worker(self.threads)
        self._busy[worker.pipe] = number, worker
        with suppress(OSError):  # it died while it was idle: `wait` finds its pipe closed
            worker.pipe.send_bytes(message)

    def wait(self) -> list[tuple[int, bytes | Died]]:
        ready = [pipe for pipe in wait(list(self._busy)) if isinstance(pipe, Connection)]
        return [self._received(*self._busy.pop(pipe)) for pipe in ready]

    def close(self) -> None:
        workers = [*self._idle, *(worker for _, worker in self._busy.values())]
        self._idle, self._busy = [], {}
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.end()

    def _received(self, number: int, worker: "_Worker") -> tuple[int, bytes | Died]:
        try:
            data = worker.pipe.recv_bytes()
        except (EOFError, OSError):
            return number, Died(worker.end())
        self._idle.append(worker)
        return number, data


class _Worker:
    """One process and this side of its pipe."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, threads), daemon=True)
        resource_tracker.ensure_running()  # else the first start of a process starts it, and lets Ctrl-C in again
        with _deaf(), _passive():
            self.process.start()
        theirs.close()  # else the pipe would outlive the worker

    def end(self) -> str:
        """See the process off, and say how it ended."""
        self.pipe.close()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        return f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with exit code {code}"


def _serve(pipe: Connection, threads: int) -> None:
    """A worker's life: answer until nobody asks any more."""
    signal.signal(signal.SIGTERM, _leave)
    limit_threads(threads)
    while True:
        try:
            pipe.send_bytes(answer(pipe.recv_bytes(), threads))
        except (EOFError, OSError):  # whoever asked is gone
            return


def _leave(number: int, frame: Any) -> None:
    sys.exit(128 + number)  # so that half-written files are removed


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started in here never hears Ctrl-C, which the terminal sends to all: its owner ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _passive() -> Iterator[None]:
    """What is started in here waits passively from its first import on: its main module may load torch."""
    absent = PASSIVE.keys() - os.environ.keys()
    wait_passively()
    try:
        yield
    finally:
        for name in absent:
            os.environ.pop(name, None)


def _cores() -> int:
    """The CPU cores that this process may use: fewer than the machine's under SLURM, say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
