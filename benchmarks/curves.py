"""How the times grow: with objects, the size of a picture, members, images, workers. `benchmark_curves.csv`:

part, over, value      what was timed, and what was varied
seconds, low, high     median and quartiles
repeats, threads, clock    wall for workers, whose processor's seconds are not this process's
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.parts import metrics
from benchmarks.setting import Setting, pictures_changed, prompts_moved
from benchmarks.timing import Clock, Job, laps
from benchmarks.whole import staged
from uncertsam.base.files import written_aside
from uncertsam.compute import Engine, opened
from uncertsam.inference.algebra import answer

OBJECTS, SIZES, MEMBERS, VIEWS, IMAGES = (1, 2, 4, 8, 16), (256, 512, 1024, 2048), (1, 2, 5, 10), (1, 2, 4), (1, 2, 4)
WORKERS, SHARDS, METHODS = (1, 2, 4), 8, 10  # processes; masks that they share; of which each is measured so often
COLUMNS = ["part", "over", "value", "seconds", "low", "high", "repeats", "threads", "clock"]
AT_MOST = 3  # repeats: there are many points; those that take tens of seconds are timed once

Point = tuple[str, str, int, Job, int, Clock]


def write_curves(target: Path, setting: Setting, repeats: int, clock: Clock) -> None:
    """Time all points and write them. setting: about the most objects of `OBJECTS`."""
    rows = [_row(*point, setting.model.device) for point in points(setting, min(repeats, AT_MOST), clock)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    with written_aside(target) as aside:
        frame.to_csv(aside, index=False, float_format="%.4g")


def points(setting: Setting, repeats: int, clock: Clock) -> Iterator[Point]:
    """Part, what is varied, its value, the job, repeats, the clock that can see it."""
    for count in OBJECTS:
        asked = setting.asked(count)
        for name in ("sam", "laplace_closed"):
            yield name, "objects", count, partial(answer, setting.methods[name], asked.inputs), repeats, clock
    for size in SIZES:
        yield "metrics", "size", size, metrics(size).ours, repeats, clock
    inputs = setting.asked(2).inputs
    for count in MEMBERS:
        yield "prompt", "members", count, partial(answer, prompts_moved(setting.model, count), inputs), repeats, clock
    for count in VIEWS:
        yield "tta", "members", count, partial(answer, pictures_changed(setting.model, count), inputs), 1, clock
    for count in IMAGES:
        yield "pipeline", "images", count, partial(staged, setting.asked(2), count), 1, clock
    for count in WORKERS:
        with opened(Engine(backend="processes", workers=count, threads=1)) as pool:
            job = partial(pool.map, partial(measured, 1024), range(SHARDS))
            yield "metrics", "workers", count, job, repeats, "wall"


def measured(size: int, shard: int) -> None:
    """A shard: a mask, measured as of so many methods."""
    job = metrics(size).ours
    for _ in range(METHODS):
        job()


def _row(part: str, over: str, value: int, job: Job, repeats: int, clock: Clock, device: torch.device) -> list[Any]:
    job()
    spread = laps({part: job}, repeats, device, clock)[part]
    return [part, over, value, spread.median, spread.low, spread.high, repeats, torch.get_num_threads(), clock]
