"""The clock: jobs that take turns, without the garbage collector, on a fixed number of threads; and their memory."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from uncertsam.experiments.cost.timing import MB, PeakMemory
from uncertsam.models.store import set_threads

Job = Callable[[], Any]
Clock = Literal["wall", "cpu"]


@dataclass(frozen=True)
class Spread:
    """Median and quartiles over repeats, in seconds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Spread":
        low, middle, high = np.percentile(seconds, [25, 50, 75])
        return cls(float(middle), float(low), float(high))


@contextmanager
def threads_fixed(threads: int) -> Iterator[None]:
    """So many threads for torch, OpenCV, BLAS and OpenMP."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    set_threads(threads)
    cv2.setNumThreads(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        set_threads(before[0])
        cv2.setNumThreads(before[1])


def laps(jobs: Mapping[str, Job], repeats: int, device: torch.device, clock: Clock = "wall") -> dict[str, Spread]:
    """Time jobs that are warm already, one after the other and round by round.

    A machine that slows down slows all of them; every round begins with another job, so that none always follows the
    same one.
    """
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    names = list(jobs)
    with collector_off():
        for turn in range(repeats):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                seconds[name].append(timed(jobs[name], device, clock))
    return {name: Spread.of(each) for name, each in seconds.items()}


@contextmanager
def collector_off() -> Iterator[None]:
    """No garbage collection; tensors and arrays are freed without it."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def timed(job: Job, device: torch.device, clock: Clock = "wall") -> float:
    """Seconds, with everything done that was put on the device.

    "cpu": the processor's time of this process, all threads together. On a machine that others use it leaves out the
    waiting for them, though not what they cost in caches and memory; of a GPU it says nothing.
    """
    now = time.process_time if clock == "cpu" else time.perf_counter
    _finish(device)
    begun = now()
    job()
    _finish(device)
    return now() - begun


def with_peak(job: Job) -> tuple[Any, float]:
    """What the job gives, and 10^6 bytes at its peak: of tensors, plus those that Python and NumPy took.

    The two peaks need not coincide, so their sum is an upper bound of both together; what an operation of torch or
    OpenCV needs inside itself is not seen.
    """
    tracemalloc.start()
    try:
        with PeakMemory() as counter:
            found = job()
        return found, (counter.peak + tracemalloc.get_traced_memory()[1]) / MB
    finally:
        tracemalloc.stop()


def _finish(device: torch.device) -> None:
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
