"""What encoder and decoder ask of the machine, and what it can do: operations and bytes, in all and a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from benchmarks.setting import Setting
from benchmarks.timing import Clock, Job, timed
from uncertsam.inference.algebra import answer

GIGA = 1e9
SIDE = 1024  # of the matrices of the product
WORDS = 2**25  # of the vector that is copied: more than any cache holds


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of every tensor that an operation reads or makes; views of the same memory count again."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.bytes += sum(t.nbytes for t in tree_leaves((args, kwargs, made)) if isinstance(t, Tensor))
        return made


@dataclass(frozen=True)
class Demand:
    """10^9 operations (a multiplication and an addition are two), 10^9 bytes, seconds."""

    name: str
    operations: float
    bytes: float
    seconds: float


def told(setting: Setting, repeats: int, clock: Clock) -> str:
    """A line about the machine, one about the encoder, one about the plain decode of all objects."""
    device = setting.model.device
    product, copy = rate_of_products(device, repeats, clock), rate_of_copies(device, repeats, clock)
    lines = [f"machine: {product:.0f} GFLOP/s in a product of {SIDE}x{SIDE}, {copy:.1f} GB/s in a copy"]
    jobs: Sequence[tuple[str, Job]] = (
        ("encoder", setting.encode), ("plain decode", partial(answer, setting.plain, setting.inputs))
    )  # fmt: skip
    return "\n".join(lines + [_line(demand(name, job, device, repeats, clock), product, copy) for name, job in jobs])


def demand(name: str, job: Job, device: torch.device, repeats: int, clock: Clock = "wall") -> Demand:
    """What a job asks for; bytes as if every operation read and wrote memory, which caches spare it in part."""
    with FlopCounterMode(display=False, custom_mapping=_ATTENTION) as counter:
        job()
    with Traffic() as traffic:
        job()
    seconds = median(timed(job, device, clock) for _ in range(repeats))
    return Demand(name, counter.get_total_flops() / GIGA, traffic.bytes / GIGA, seconds)


def rate_of_products(device: torch.device, repeats: int, clock: Clock) -> float:
    """10^9 operations a second in a product of float32 matrices."""
    one, other = torch.rand(2, SIDE, SIDE, device=device)
    return 2 * SIDE**3 / GIGA / _best(lambda: one @ other, device, repeats, clock)


def rate_of_copies(device: torch.device, repeats: int, clock: Clock) -> float:
    """10^9 bytes a second, read and written."""
    source, target = torch.rand(2, WORDS, device=device)
    return 2 * source.nbytes / GIGA / _best(lambda: target.copy_(source), device, repeats, clock)


def _best(job: Job, device: torch.device, repeats: int, clock: Clock) -> float:
    job()
    return min(timed(job, device, clock) for _ in range(max(3, repeats)))


def _line(need: Demand, product: float, copy: float) -> str:
    rate, least = need.operations / need.seconds, need.operations / product + need.bytes / copy
    return (
        f"{need.name}: {need.operations:.1f} GFLOP, {need.bytes:.2f} GB, {need.seconds:.3g} s: {rate:.0f} GFLOP/s, "
        f"{rate / product:.0%} of the product's; all operations and all bytes at these rates would take {least:.3g} s"
    )


def _attention(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> int:
    """On a CPU the counter does not know it."""
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


_ATTENTION: Any = {torch.ops.aten.scaled_dot_product_attention: _attention}
