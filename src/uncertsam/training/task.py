"""What a training computes: its parameters, its loss, its weights. Everything else is the engine's."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.config.training import TrainParams
from uncertsam.training.examples import Item
from uncertsam.training.schedule import Schedule, warmup_cooldown

Loss = Float[Tensor, ""]
Mode = Literal["sample", "mean"]  # draw from what is random (a training step), or take its mean (held-out images)


@dataclass(frozen=True)
class Step:
    """An optimiser step: its number (0-based) and that of all."""

    number: int
    total: int

    @property
    def share(self) -> float:
        """Of the training that lies behind, in [0, 1)."""
        return self.number / self.total


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that learn alike. learning_rate: the highest; `schedule` gives the share of it at each step."""

    parameters: list[nn.Parameter]
    learning_rate: float
    weight_decay: float
    schedule: Schedule


class Task(ABC, Generic[Item]):
    """module: holds every parameter that is trained, and no other that requires a gradient. Item: its examples."""

    module: nn.Module

    @abstractmethod
    def parameter_groups(self) -> list[ParameterGroup]:
        """Groups without a common parameter. The learning rate of the first is the one that is logged."""

    def optimiser(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """What updates the groups, in the form that torch takes."""
        return torch.optim.AdamW(groups)

    @abstractmethod
    def loss(self, example: Item, step: Step, mode: Mode) -> tuple[Loss, dict[str, float]]:
        """The mean over an example's objects, and its parts by name, to be logged.

        step: for losses that change on the way. A function of its arguments and the
        weights: random numbers come from `example.generator` alone.
        """

    def checkpoint(self) -> dict[str, Tensor]:
        """A copy of the weights."""
        return {name: value.detach().clone() for name, value in self.module.state_dict().items()}

    def load(self, weights: dict[str, Tensor]) -> None:
        """Set the weights to those of a checkpoint. Raises RuntimeError where names or shapes differ."""
        self.module.load_state_dict(weights)


def decayed_groups(
    module: nn.Module, learning_rate: float, weight_decay: float, schedule: Schedule
) -> list[ParameterGroup]:
    """Weight decay on what multiplies features, and on nothing else: parameters of one dimension are not decayed.

    The authors' code tests names for "bias" and "LayerNorm" instead, which misses the scales of its LayerNorm2d.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    parts = [([p for p in trained if p.ndim > 1], weight_decay), ([p for p in trained if p.ndim <= 1], 0.0)]
    return [ParameterGroup(parameters, learning_rate, decay, schedule) for parameters, decay in parts if parameters]


def paper_groups(module: nn.Module, params: TrainParams) -> list[ParameterGroup]:
    """A module trained as the paper trains its parts (Table 3): linear warm-up and cool-down."""
    schedule = partial(warmup_cooldown, warmup=params.warmup, cooldown=params.cooldown)
    return decayed_groups(module, params.learning_rate, params.weight_decay, schedule)
