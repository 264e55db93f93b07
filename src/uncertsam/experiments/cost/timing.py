"""What a method costs: milliseconds per mask, memory at its peak, and the size of what was fitted for it."""

import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.data.format import read_split
from uncertsam.experiments.bench import Bench
from uncertsam.experiments.cost.table import COLUMNS, ENCODER, PLAIN
from uncertsam.inference.algebra import Inputs, Method, answer
from uncertsam.inference.predictions import PromptSet, boxes_of
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.store import DTYPES, encode

MB = 1e6


@dataclass(frozen=True)
class Timed:
    """A method to be timed; state: the bytes of what was fitted for it."""

    method: Method
    state: int = 0


@dataclass
class _Laps:
    """The times of one method, in seconds, and the bytes of tensors alive at its peak."""

    seconds: list[float] = field(default_factory=list)
    peak: int = 0


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts, while it is entered, the bytes of tensors that operations made and that are still alive.

    peak: the most at one time. On every device alike; what an operation needs inside itself is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now, self.peak = 0, 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return made

    def _count(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._alive:
            self._alive.add(key)
            self.now += size
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size


def timed(bench: Bench) -> pd.DataFrame:
    """Time every method on a few masks that are not reported: their numbers change from run to run."""
    knobs, dataset = bench.config.time, bench.config.fit.dataset
    split = read_split(bench.benchmark / dataset / "fit")
    methods = {n: Timed(bench.method(n), size_of(bench.part(n))) for n in bench.config.methods}
    asked = questions(bench.prompts(dataset, split), knobs.masks)
    return clock(methods, asked, knobs.repeats, DTYPES[bench.config.encode.dtype])


def questions(whole: PromptSet, masks: int) -> list[Inputs]:
    """The boxes of the first `masks` masks of a split, image by image, embeddings and pictures read beforehand.

    Raises UserError where the split has no mask.
    """
    asked, left, split = [], masks, whole.split
    for image in split:
        if left and split.annotations[image.id]:
            boxes = boxes_of(split, image)[:left]
            left -= len(boxes)
            asked.append(replace(whole.of(image, boxes), image=partial(_given, split.pixels(image.id))))
    if not asked:
        problem = f"{whole.dataset} has no mask to time the methods on."
        raise UserError(problem, "Name a dataset with masks as fit.dataset.")
    return asked


def clock(methods: Mapping[str, Timed], asked: Sequence[Inputs], repeats: int, dtype: torch.dtype) -> pd.DataFrame:
    """A row per method, and the encoder's, with the columns of `results.cost`.

    The methods take turns, so that a machine that slows down slows all of them. A first round, which is not timed,
    warms up and counts memory.
    """
    model, masks = asked[0].model, sum(len(inputs.prompts) for inputs in asked)
    laps = {name: _Laps(peak=max(_peak(one.method, inputs) for inputs in asked)) for name, one in methods.items()}
    encoder = _Laps()
    _encode(model, asked, dtype)
    for _ in tqdm(range(repeats), "time", disable=None):
        encoder.seconds.append(_timed(partial(_encode, model, asked, dtype), model))
        for name, one in methods.items():
            laps[name].seconds.append(_timed(partial(_answer_all, one.method, asked), model))
    how: dict[str, Any] = {"masks": masks, "images": len(asked), "repeats": repeats}
    how |= {"device": model.device.type, "threads": torch.get_num_threads()}
    plain = median(laps[PLAIN].seconds) if PLAIN in laps else float("nan")
    rows = [_row(ENCODER, "image", encoder, len(asked), float("nan"), 0)]
    rows += [_row(name, "mask", laps[name], masks, plain, one.state) for name, one in methods.items()]
    return pd.DataFrame([row | how for row in rows])[COLUMNS]


def size_of(path: Path | None) -> int:
    """The bytes of a file, or of all files of a folder; 0 for None."""
    if path is None:
        return 0
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())


def _row(name: str, unit: str, laps: _Laps, count: int, plain: float, state: int) -> dict[str, Any]:
    each = [1000 * seconds / count for seconds in laps.seconds]
    row = {"method": name, "unit": unit, "ms": median(each), "ms_low": min(each), "ms_high": max(each)}
    return row | {"ratio": median(laps.seconds) / plain, "peak_mb": laps.peak / MB, "state_mb": state / MB}


def _peak(method: Method, inputs: Inputs) -> int:
    counter = PeakMemory()
    with torch.inference_mode(), counter:
        answer(method, inputs)
    return counter.peak


def _answer_all(method: Method, asked: Sequence[Inputs]) -> None:
    for inputs in asked:
        answer(method, inputs)


def _encode(model: PromptableModel, asked: Sequence[Inputs], dtype: torch.dtype) -> None:
    for inputs in asked:
        encode(model, model.geometry.to_input(inputs.image())[None], dtype)


def _timed(work: Any, model: PromptableModel) -> float:
    """Seconds of wall clock, with everything done that was put on the device."""
    _finish(model)
    begun = time.perf_counter()
    work()
    _finish(model)
    return time.perf_counter() - begun


def _finish(model: PromptableModel) -> None:
    if model.device.type != "cpu":
        getattr(torch, model.device.type).synchronize()


def _given(pixels: Any) -> Any:
    return pixels
