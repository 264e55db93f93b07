"""Pre-training of the embedded model in legs, as one resumable loop."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from uncertsam.base.rng import derive_seed, numpy_generator
from uncertsam.models.checkpoints import read_state
from uncertsam.models.nano import NanoSam
from uncertsam.models.sam2 import Sam2Model
from uncertsam.pretraining._steps import SceneBatches, step_loss
from uncertsam.pretraining.materials import Materials
from uncertsam.training.schedule import learning_rate_factor

Log = Callable[[int, dict[str, float]], None]
Keep = Callable[[dict[str, Any]], None]
State = dict[str, Any]  # leg, step (of the leg), network, average; optimiser: not in a snapshot
AVERAGED_OVER = 1000  # steps: what is shipped is the exponential average of the weights, which learns as if annealed
TRUNK_RATE = 0.2  # of the learning rate: the trunk knows pictures already
COOL_IN = 300  # first steps of all: no corrections, and for the first 200 of them the trunk is still


@dataclass(frozen=True)
class Leg:
    """One leg: `steps` of `batch` scenes of `size` px.

    whole: share of the photos that are shown whole. corrections: share of the steps with corrections. cooldown: share
    of the steps over which the learning rate falls to 1 %. warmup: steps.
    """

    steps: int
    size: int
    batch: int
    learning_rate: float
    weight_decay: float
    cooldown: float
    whole: float
    corrections: float = 0.6
    warmup: int = 200


def pretrain(
    legs: Sequence[Leg],
    start: dict[str, Tensor],
    materials: Materials,
    seed: int,
    state: State | None,
    keep: Keep,
    every: int,
    log: Log,
) -> NanoSam:
    """Train from `start` (weights by name; all others are fresh), or go on from a `state` that was kept.

    Keeps its state each `every` steps and after each leg, logs each step under its number over all legs. Returns the
    averaged network at the last leg's size. Without an optimiser in `state` the moments restart with a warm-up.
    """
    torch.manual_seed(derive_seed(seed, "initial weights"))
    network = _fresh(legs[0])
    network.load_state_dict(start, strict=False)
    state = state or {"leg": 0, "step": 0, "network": network.state_dict()}
    with _no_opencv_threads():
        for number in range(state["leg"], len(legs)):
            before = sum(leg.steps for leg in legs[:number])
            state = _train(legs[number], number, before, state, materials, seed, keep, every, log)
    network = _fresh(legs[-1])
    network.load_state_dict(state["average"])
    return network


def decoder_of(weights: Path) -> dict[str, Tensor]:
    """Prompt encoder and mask decoder of an embedded model's weights file, in float32."""
    state = read_state(weights)
    return {name: tensor.float() for name, tensor in state.items() if not name.startswith("image_encoder")}


def _fresh(leg: Leg) -> NanoSam:
    """`sam2_nano` at a leg's size."""
    return NanoSam("efficientnet_lite0", leg.size)


def _train(
    leg: Leg, number: int, before: int, state: State, materials: Materials, seed: int, keep: Keep, every: int, log: Log
) -> State:  # fmt: skip
    """One leg from `state` on: AdamW, clipped at 1; the state after it, which is the next leg's start."""
    network = _fresh(leg)
    model = Sam2Model(network, "sam2_nano", "")
    network.load_state_dict(state["network"])
    average = state.get("average") or _copied(network.state_dict())
    optimiser, first = _optimiser(network, leg), int(state["step"])
    if "optimiser" in state and first:
        optimiser.load_state_dict(state["optimiser"])
    warm_from = first if first and "optimiser" not in state else state.get("warm_from", 0)
    batches = _batches(replace(materials, whole=leg.whole), leg, derive_seed(seed, number), first)
    network.train()
    for step in tqdm(range(first, leg.steps), f"leg {number}", initial=first, total=leg.steps, disable=None):
        if step % every == 0 and step > first:
            keep(_state(number, step, network, average, optimiser, warm_from))
        _set_rates(optimiser, leg, step, before + step, warm_from)
        rng = numpy_generator(seed, "interaction", before + step)
        corrections = leg.corrections if before + step >= COOL_IN else 0.0
        loss, values = step_loss(model, next(batches), rng, corrections)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        _keep_average(average, network, before + step)
        log(before + step, values)
    done = _state(number + 1, 0, network, average, optimiser, 0)
    keep(done)
    return done


def _state(
    leg: int,
    step: int,
    network: nn.Module,
    average: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
    warm_from: int,
) -> State:
    return {
        "leg": leg, "step": step, "network": network.state_dict(), "average": average,
        "optimiser": optimiser.state_dict(), "warm_from": warm_from,
    }  # fmt: skip


def _optimiser(network: NanoSam, leg: Leg) -> torch.optim.AdamW:
    """The trunk is the second group, so that it can learn more slowly."""
    trunk = list(network.image_encoder.trunk.parameters())
    of_trunk = {id(p) for p in trunk}
    rest = [p for p in network.parameters() if id(p) not in of_trunk]
    return torch.optim.AdamW([{"params": rest}, {"params": trunk}], leg.learning_rate, weight_decay=leg.weight_decay)


def _set_rates(optimiser: torch.optim.Optimizer, leg: Leg, step: int, total: int, warm_from: int) -> None:
    """Warm-up at the leg's start, and again where training went on without the optimiser's moments."""
    factor = learning_rate_factor(step, leg.steps, leg.warmup, int(leg.cooldown * leg.steps), 0.01)
    rate = leg.learning_rate * min(factor, (step - warm_from + 1) / leg.warmup)
    still = total < leg.warmup
    for group, share in zip(optimiser.param_groups, (1.0, 0.0 if still else TRUNK_RATE), strict=True):
        group["lr"] = rate * share


def _batches(materials: Materials, leg: Leg, seed: int, first: int) -> Any:
    data = SceneBatches(materials, seed, leg.size, leg.batch, leg.steps)
    rest = Subset(data, range(first, leg.steps))
    return iter(DataLoader(rest, batch_size=None, num_workers=1, prefetch_factor=8))


@contextmanager
def _no_opencv_threads() -> Iterator[None]:
    """OpenCV's threads do not survive a fork: a worker that inherits their pool waits for them for ever."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _copied(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _keep_average(average: dict[str, Tensor], network: nn.Module, step: int) -> None:
    """The exponential average of the weights; over fewer steps while there are few."""
    share = max(1 / AVERAGED_OVER, 20 / (step + 20))
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            average[name].lerp_(tensor.detach(), share)
