"""Training a task: one image at a time, resumable at any step, on one device or on many.

best weights                     by the loss on held-out images, those at the start included
resumed = uninterrupted          the order of images and every draw follow from (seed, epoch, image), and what the
                                 optimiser knows is kept beside the weights
"""

import math
from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.base.rng import torch_generator
from uncertsam.config.training import TrainParams
from uncertsam.training.examples import Examples, Item
from uncertsam.training.resume import ResumeState
from uncertsam.training.task import Step, Task

Log = Callable[[int, dict[str, float]], None]
COLUMNS = ("step", "learning_rate", "fit_loss", "held_out_loss")


@dataclass
class Trained:
    """Weights with the least held-out loss, and the last ones. curve: rows of `COLUMNS`, NaN where there is none."""

    best: dict[str, Tensor]
    last: dict[str, Tensor]
    best_loss: float
    curve: list[list[float]] = field(default_factory=list)


@runtime_checkable
class Devices(Protocol):
    """What of Lightning Fabric is used: this process among others, and the precision."""

    world_size: int
    global_rank: int

    def autocast(self) -> AbstractContextManager[Any]: ...
    def all_reduce(self, data: Any, group: Any = None, reduce_op: Any = "mean") -> Any: ...


def train(
    task: Task[Item],
    fit: Examples[Item],
    held_out: Examples[Item],
    params: TrainParams,
    seed: int,
    resume: ResumeState,
    log: Log,
    devices: Devices,
) -> Trained:
    """Train `task`, or go on from `resume`; every device is given its share of a step.

    params: epochs, accumulate, clip, validate_every and save_every are the engine's; the others are read by the task
    and the examples. Raises UserError without images, and where a loss is not finite: it names the image, and the last
    good state stays.
    """
    if not len(fit):
        raise UserError("There are no images to train on.", "Check the `fit` splits of the datasets.")
    run = _Run(task, fit, held_out, params, seed, resume, log, devices)
    run.restore()
    task.module.train()
    bar = tqdm(range(run.step, run.total), "train", initial=run.step, total=run.total, disable=None)
    for step in bar:
        bar.set_postfix(loss=f"{run.update(step):.4g}", refresh=False)
        if (step + 1) % run.validate_every == 0 or step + 1 == run.total:
            run.validate(step + 1)
        if (step + 1) % params.save_every == 0:
            run.save(step + 1)
    task.module.eval()
    return Trained(run.best, task.checkpoint(), run.best_loss, run.curve)


@dataclass
class _Run(Generic[Item]):
    """One training on its way."""

    task: Task[Item]
    fit: Examples[Item]
    held_out: Examples[Item]
    params: TrainParams
    seed: int
    resume: ResumeState
    log: Log
    devices: Devices
    step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    best_loss: float = math.inf
    curve: list[list[float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.groups = self.task.parameter_groups()
        self.optimiser = self.task.optimiser(
            [{"params": g.parameters, "lr": g.learning_rate, "weight_decay": g.weight_decay} for g in self.groups]
        )
        self.at_once = self.params.accumulate * self.devices.world_size
        self.per_epoch = math.ceil(len(self.fit) / self.at_once)
        self.total = self.params.epochs * self.per_epoch
        self.validate_every = max(1, round(self.params.validate_every * self.per_epoch))

    def update(self, step: int) -> float:
        """One optimiser step on the mean loss of its images; returns that."""
        rates = self._set_rates(step)
        self.optimiser.zero_grad()
        epoch, indices = self._images(step)
        mine = indices[self.devices.global_rank :: self.devices.world_size]
        total, parts = torch.zeros(()), defaultdict[str, float](float)
        for index in mine:
            total = total + self._backward(self.fit.get(index, epoch), step, len(indices), parts)
        value = float(self._shared(total))
        self._share_gradients()
        norm = nn.utils.clip_grad_norm_(self.task.module.parameters(), self.params.clip)
        if not torch.isfinite(norm):
            self._stop(step, "a gradient", self.fit.get(indices[0], epoch))
        self.optimiser.step()
        self._note(step, rates[0], value, math.nan, {name: part / len(mine) for name, part in parts.items()})
        return value

    def _set_rates(self, step: int) -> list[float]:
        rates = [group.learning_rate * group.schedule(step, self.total) for group in self.groups]
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate
        return rates

    def _backward(self, example: Item, step: int, count: int, parts: dict[str, float]) -> Tensor:
        """Adds to the gradients, and the loss's parts to `parts`."""
        with self.devices.autocast():
            found, named = self.task.loss(example, Step(step, self.total), "sample")
        if not torch.isfinite(found):
            self._stop(step, "the loss", example)
        (found / count).backward()  # type: ignore[no-untyped-call]
        for name, part in named.items():
            parts[name] += part
        return found.detach().float().cpu() / count

    def _stop(self, step: int, what: str, example: Item) -> None:
        """What is trained is still good: the step that would have spoilt it is not taken."""
        self.save(step)
        raise UserError(
            f"Step {step}: {what} on image {example.image_id} of {example.dataset} is not finite.",
            f"The last good weights are kept in {self.resume.path}. Lower learning_rate, use precision 32-true, or "
            "leave the image out; with other parameters the training begins anew.",
        )

    def validate(self, step: int) -> None:
        """The held-out loss; weights that are better than all before are kept."""
        if not len(self.held_out):
            self.best = self.task.checkpoint()
            return
        self.task.module.eval()
        with torch.no_grad(), self.devices.autocast():
            examples = (self.held_out.get(i, 0) for i in range(len(self.held_out)))
            losses = [float(self.task.loss(example, Step(step, self.total), "mean")[0]) for example in examples]
        self.task.module.train()
        mean = sum(losses) / len(losses)
        if mean < self.best_loss:
            self.best_loss, self.best = mean, self.task.checkpoint()
        self._note(step, math.nan, math.nan, mean, {})

    def _images(self, step: int) -> tuple[int, list[int]]:
        """The epoch and the indices of all devices' images of a step; no image comes twice in an epoch."""
        epoch, place = divmod(step, self.per_epoch)
        order = torch.randperm(len(self.fit), generator=torch_generator(self.seed, "order", epoch)).tolist()
        return epoch, order[place * self.at_once : (place + 1) * self.at_once]

    def _share_gradients(self) -> None:
        """The sum over devices; a device that had no image adds nothing. What no device used stays without gradient."""
        if self.devices.world_size == 1:
            return
        parameters = [p for p in self.task.module.parameters() if p.requires_grad]
        used = self._shared(torch.tensor([float(p.grad is not None) for p in parameters]))
        for parameter in (p for p, count in zip(parameters, used.tolist(), strict=True) if count):
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad = self._shared(gradient)

    def _shared(self, value: Tensor) -> Tensor:
        if self.devices.world_size == 1:
            return value
        summed: Tensor = self.devices.all_reduce(value, reduce_op="sum")
        return summed

    def _note(self, step: int, rate: float, fit_loss: float, held_out_loss: float, parts: dict[str, float]) -> None:
        row = [float(step), rate, fit_loss, held_out_loss]
        self.curve.append(row)
        named = {n: v for n, v in zip(COLUMNS[1:], row[1:], strict=True) if not math.isnan(v)}
        self.log(step, named | parts)

    def save(self, step: int) -> None:
        """Keep everything that the next step depends on; one device does."""
        if self.devices.global_rank == 0:
            kept = {"best": self.best, "best_loss": self.best_loss, "curve": self.curve, "step": step}
            self.resume.save(kept | {"module": self.task.checkpoint(), "optimiser": self.optimiser.state_dict()})

    def restore(self) -> None:
        """Go on where the last run was stopped, or begin, with the held-out loss of the untrained weights."""
        state = self.resume.load()
        if state is None:
            self.validate(0)
            return
        self.task.load(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.best, self.best_loss = state["step"], state["best"], state["best_loss"]
        self.curve = state["curve"]


def one_device(device: torch.device, precision: str) -> Any:
    """Lightning Fabric on the given device; under torchrun this process' share of all devices."""
    import os

    from lightning_fabric import Fabric

    world, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    strategy = "ddp" if world > 1 else "auto"
    fabric = Fabric(
        accelerator=device.type,
        devices=local,
        num_nodes=world // local,
        strategy=strategy,
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric
