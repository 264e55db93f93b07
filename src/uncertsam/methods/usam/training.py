"""Training USAM's heads on stored tokens: all of them side by side, each as if it were alone.

The loss is the sum over heads of the mean squared error, so that no head's gradient depends on another one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.rng import derive_seed, numpy_generator, torch_generator
from uncertsam.config.usam import Protocol, TrainUsam
from uncertsam.methods.usam.heads import Heads, Offset
from uncertsam.methods.usam.protocols import Judged
from uncertsam.methods.usam.tokens import TokenStore
from uncertsam.training.engine import Devices, Log, one_device, train
from uncertsam.training.resume import ResumeState, code_digest
from uncertsam.training.schedule import cosine
from uncertsam.training.task import Loss, Mode, ParameterGroup, Step, Task

CODE = ("training", "methods/usam", "base/rng.py")
RANGES = {"learning_rate": (1e-4, 1e-1), "momentum": (0.1, 0.9), "epochs": (5, 80), "batch": (16, 256)}  # the paper's
VALIDATED = 1024  # samples at a time, of those held out
Trial = tuple[Float[Tensor, " heads"], Heads]  # held-out error of each head, the heads on the CPU
COLUMNS = ["trial", "head", *RANGES, "held_out_mse"]


@dataclass(frozen=True)
class Samples:
    """Latents of (object, model) pairs, what each head is to say of them, and what must not be divided."""

    latents: Float[Tensor, "n width"]
    targets: Float[Tensor, "n heads"]
    clusters: np.ndarray

    @classmethod
    def read(cls, stores: Iterable[TokenStore], protocol: Protocol, offset: Offset) -> "Samples":
        """All objects of all stores, each as many times as there are models. Raises UserError as a store does."""
        latents, targets, clusters = [], [], list[str]()
        for store in stores:
            for observed in store:
                judged = Judged(observed, protocol)
                latents.append(judged.latents(offset).flatten(0, 1))
                targets.append(judged.targets().flatten(0, 1))
                names = [store.clusters[image] for image in observed.image_id.tolist()]
                clusters += [name for name in names for _ in range(judged.own.shape[1])]
        return cls(torch.cat(latents), torch.cat(targets), np.array(clusters, object))

    def __len__(self) -> int:
        return len(self.latents)

    def divided(self, held_out: float) -> tuple["Samples", "Samples"]:
        """Those to train on and those held out, by hash, near-duplicates together.

        At least one of them is held out. Raises UserError where there is only one.
        """
        names = sorted(set(self.clusters), key=lambda name: derive_seed(0, "usam heads", name))
        count = min(max(1, round(held_out * len(names))), len(names) - 1)
        if count < 1:
            raise UserError(
                f"{len(names)} different images are too few to train USAM's heads and hold some out.",
                "Give train_usam.datasets more images in their fit splits.",
            )
        out = np.isin(self.clusters.astype(str), names[:count])
        rows = [torch.from_numpy(found) for found in (~out, out)]
        fit, kept = (Samples(self.latents[r], self.targets[r], self.clusters[r.numpy()]) for r in rows)
        return fit, kept

    @cached_property
    def digest(self) -> str:
        arrays = (self.latents.contiguous().numpy(), self.targets.contiguous().numpy())
        return hashlib.sha256(b"".join(hashlib.sha256(array.data).digest() for array in arrays)).hexdigest()


@dataclass(frozen=True)
class Batch:
    """Some samples. dataset, image_id: by which an error names them."""

    latents: Float[Tensor, "n width"]
    targets: Float[Tensor, "n heads"]
    image_id: int
    dataset: str = "the stored tokens (a batch, no image)"


@dataclass(frozen=True)
class Batches:
    """Samples in batches, shuffled anew in every epoch; the order follows from (seed, epoch)."""

    samples: Samples
    size: int
    seed: int
    device: torch.device

    def __len__(self) -> int:
        return -(-len(self.samples) // self.size)

    def get(self, index: int, epoch: int) -> Batch:
        order = torch.randperm(len(self.samples), generator=torch_generator(self.seed, "usam batches", epoch))
        rows = order[index * self.size : (index + 1) * self.size]
        latents, targets = self.samples.latents[rows], self.samples.targets[rows]
        return Batch(latents.to(self.device), targets.to(self.device), index)


class HeadsTask(Task[Batch]):
    """The heads, from fresh weights that follow from (seed, name of the head)."""

    def __init__(self, names: Sequence[str], width: int, params: TrainUsam, seed: int, device: torch.device) -> None:
        self.params = params
        self.module: Heads = Heads(names, width, params.offset).draw(seed).to(device)

    def parameter_groups(self) -> list[ParameterGroup]:
        params, parameters = self.params, dict(self.module.named_parameters())
        if params.optimiser == "sgd":
            everything = [*parameters.values()]
            return [ParameterGroup(everything, params.learning_rate, params.weight_decay, lambda step, steps: 1.0)]
        return [
            ParameterGroup(
                [p for name, p in parameters.items() if name.startswith(kind)],
                params.learning_rate, decay, partial(cosine, floor=0.0),
            )
            for kind, decay in (("weight", params.weight_decay), ("bias", 0.0))
        ]  # fmt: skip

    def optimiser(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        sgd = self.params.optimiser == "sgd"
        return torch.optim.SGD(groups, momentum=self.params.momentum) if sgd else super().optimiser(groups)

    def loss(self, example: Batch, step: Step, mode: Mode) -> tuple[Loss, dict[str, float]]:
        """The same at every step and in both modes."""
        return (self.module(example.latents) - example.targets).square().mean(0).sum(), {}


def train_heads(
    samples: Samples, names: Sequence[str], params: TrainUsam, seed: int, device: torch.device, folder: Path, log: Log
) -> tuple[Heads, pd.DataFrame]:
    """Heads of these names, trained with the given values and by a random search; each has its best trial's weights.

    Also a row of `COLUMNS` per trial and head; trial 0 has the given values. folder: of the states from which a
    training that was stopped goes on; they are removed at the end. Raises what `train` and `Samples.divided` raise.
    """
    parts, devices = samples.divided(params.held_out), one_device(device, "32-true")
    trainer = _Trainer(*parts, names, seed, device, devices, log)
    best, rows, states = None, [], []
    for trial, chosen in enumerate(trial_params(params, seed)):
        facts = [chosen.model_dump(exclude={"trials"}), seed, list(names), samples.digest, str(device)]
        states.append(ResumeState(folder, f"usam-{trial}", [*facts, code_digest(*CODE)]))
        found = trainer.run(chosen, states[-1])
        values = [getattr(chosen, name) for name in RANGES]
        rows += [[trial, name, *values, float(error)] for name, error in zip(names, found[0], strict=True)]
        best = better(best, found) if best else found
    for state in states:
        state.clear()
    assert best is not None
    return best[1].requires_grad_(False).eval(), pd.DataFrame(rows, columns=COLUMNS)


@dataclass(frozen=True)
class _Trainer:
    """What all trials share."""

    fit: Samples
    held_out: Samples
    names: Sequence[str]
    seed: int
    device: torch.device
    devices: Devices
    log: Log

    def run(self, params: TrainUsam, resume: ResumeState) -> Trial:
        """The last weights of one training."""
        task = HeadsTask(self.names, self.fit.latents.shape[1], params, self.seed, self.device)
        fit = Batches(self.fit, params.batch, self.seed, self.device)
        held_out = Batches(self.held_out, VALIDATED, self.seed, self.device)
        task.load(train(task, fit, held_out, params, self.seed, resume, self.log, self.devices).last)
        return held_out_errors(task.module, self.held_out, self.device), task.module.cpu()


def trial_params(params: TrainUsam, seed: int) -> Iterator[TrainUsam]:
    """The given values, then as many draws as there are trials, uniform over `RANGES`."""
    yield params
    for trial in range(1, params.trials + 1):
        generator = numpy_generator(seed, "usam search", trial)
        drawn = {name: generator.uniform(low, high) for name, (low, high) in RANGES.items()}
        yield params.model_copy(update=drawn | {name: round(drawn[name]) for name in ("epochs", "batch")})


@torch.inference_mode()
def held_out_errors(heads: Heads, held_out: Samples, device: torch.device) -> Float[Tensor, " heads"]:
    """The mean squared error of each head, on the CPU."""
    batches = Batches(held_out, VALIDATED, 0, device)
    parts = [batches.get(index, 0) for index in range(len(batches))]
    return sum((heads(p.latents) - p.targets).square().sum(0).cpu() for p in parts) / len(held_out)


def better(one: Trial, other: Trial) -> Trial:
    """Of each head the weights with the smaller error, and that error."""
    wins = other[0] < one[0]
    kept, new = one[1].state_dict(), other[1].state_dict()
    heads = Heads(one[1].names, one[1].width, one[1].offset)
    heads.load_state_dict({name: torch.where(wins[:, None, None], new[name], kept[name]) for name in kept})
    return torch.minimum(one[0], other[0]), heads
