"""The two phases of pre-training as one resumable loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from uncertsam.rng import numpy_generator, torch_generator
from uncertsam.sam.model import PromptableModel
from uncertsam.sam.nano import NanoSam
from uncertsam.training.geometry import geometry_loss
from uncertsam.training.materials import Materials
from uncertsam.training.pretrain import SceneBatches, step_loss
from uncertsam.training.resume import ResumeState
from uncertsam.training.schedule import learning_rate_factor

Log = Callable[[int, dict[str, float]], None]
AVERAGED_OVER = 1000  # steps: what is shipped is the exponential average of the weights, which learns as if annealed


@dataclass(frozen=True)
class Phase:
    """Settings of one phase; `cooldown` is the share of steps over which the learning rate falls to 1 %."""

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    cooldown: float
    warmup: int = 200


def pretrain(
    geometry: Phase, scenes: Phase, materials: Materials, seed: int, resume: ResumeState, every: int, log: Log
) -> PromptableModel:
    """Train from scratch, or go on from `resume`; saves each `every` steps, logs each step."""
    torch.manual_seed(seed)  # initial weights
    model = PromptableModel(NanoSam(), "sam2_nano", "")
    state = resume.load()
    if state is None or state["phase"] == "geometry":
        parts = nn.ModuleList([model.network.sam_prompt_encoder, model.network.sam_mask_decoder])
        losses = _geometry_losses(model, geometry, seed)
        _train(model, parts, geometry, losses, "geometry", resume, state, every, log)
        state = None
    losses = _scene_losses(model, scenes, materials, seed)
    average = _train(model, model.network, scenes, losses, "scenes", resume, state, every, log)
    model.network.load_state_dict(average)
    return model


LossAt = Callable[[int], tuple[Tensor, dict[str, float]]]
LossesFrom = Callable[[int], LossAt]


def _geometry_losses(model: PromptableModel, phase: Phase, seed: int) -> LossesFrom:
    return lambda first: lambda step: geometry_loss(model, phase.batch, torch_generator(seed, "geometry", step))


def _scene_losses(model: PromptableModel, phase: Phase, materials: Materials, seed: int) -> LossesFrom:
    def start(first: int) -> LossAt:
        data = SceneBatches(materials, seed, model.image_size, phase.batch, phase.steps)
        rest = Subset(data, range(first, phase.steps))
        batches = iter(DataLoader(rest, batch_size=None, num_workers=1, prefetch_factor=8))
        return lambda step: step_loss(model, next(batches), numpy_generator(seed, "interaction", step))

    return start


def _train(
    model: PromptableModel,
    parts: nn.Module,
    phase: Phase,
    losses_from: LossesFrom,
    name: str,
    resume: ResumeState,
    state: dict[str, Any] | None,
    every: int,
    log: Log,
) -> dict[str, Tensor]:
    """AdamW over `parts`; saves the network's state as the next phase's start, returns its average over the steps."""
    optimiser = torch.optim.AdamW(parts.parameters(), phase.learning_rate, weight_decay=phase.weight_decay)
    forget = get_ema_multi_avg_fn(1 - 1 / AVERAGED_OVER)  # type: ignore[no-untyped-call]
    average = AveragedModel(model.network, multi_avg_fn=forget, use_buffers=True)
    first = _restore(model, optimiser, average, state)
    model.network.train()
    loss_at = losses_from(first)
    for step in tqdm(range(first, phase.steps), name, initial=first, total=phase.steps, disable=None):
        if step % every == 0 and step > first:
            _save(resume, name, step, model, optimiser, average)
        factor = learning_rate_factor(step, phase.steps, phase.warmup, int(phase.cooldown * phase.steps), 0.01)
        for group in optimiser.param_groups:
            group["lr"] = phase.learning_rate * factor
        loss, values = loss_at(step)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(model.network)
        log(step, {f"{name}/{key}": value for key, value in values.items()})
    _save(resume, name, phase.steps, model, optimiser, average)
    return dict(average.module.state_dict())


def _save(
    resume: ResumeState,
    name: str,
    step: int,
    model: PromptableModel,
    optimiser: torch.optim.Optimizer,
    average: nn.Module,
) -> None:
    resume.save(
        {
            "phase": name,
            "step": step,
            "network": model.network.state_dict(),
            "optimiser": optimiser.state_dict(),
            "average": average.state_dict(),
        }
    )


def _restore(
    model: PromptableModel, optimiser: torch.optim.Optimizer, average: nn.Module, state: dict[str, Any] | None
) -> int:
    if state is None:
        return 0
    model.network.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    average.load_state_dict(state["average"])
    return int(state["step"])
