"""What a second pass is told about the first: its logits, and an uncertainty per pixel.

Sources are SAM's own answer, or the mean of the Laplace posterior; the uncertainty is the predictive entropy of that
answer in nats, in [0, ln 2], or a map of ones, which says nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.config.arms import Arm, Map
from uncertsam.config.training import TrainFusion
from uncertsam.inference.algebra import Inputs, Masks, Method, mean_logit
from uncertsam.inference.measures import entropy
from uncertsam.methods.laplace import Laplace
from uncertsam.methods.laplace_closed import LaplaceClosed
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.select import TokenPolicy, select

FirstPass = Callable[[Inputs], Masks]  # logits; a Laplace's are those of the mean probability, in +-16.12


@dataclass(frozen=True)
class FromSam:
    """The raw logits of the picked mask, -1024 where the gate says so."""

    policy: TokenPolicy

    def __call__(self, inputs: Inputs) -> Masks:
        return select(inputs.decoded, self.policy).logits


@dataclass(frozen=True)
class FromMethod:
    """The logit of an uncertainty method's mean probability."""

    method: Method

    def __call__(self, inputs: Inputs) -> Masks:
        return mean_logit(self.method(inputs))


def first_pass(arm: Arm, params: TrainFusion, posterior: LaplaceState) -> FirstPass:
    """What an arm refines. The Laplace arms read token 0 without a gate, as the authors' code does."""
    if arm.source == "sam":
        return FromSam(TokenPolicy(token=params.token, gate=params.gate))
    if params.laplace == "closed":
        return FromMethod(LaplaceClosed(posterior, gate=False))
    return FromMethod(Laplace(posterior, params.samples, gate=False))


def uncertainty_map(kind: Map, logits: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """What the second pass is told beside the logits."""
    return entropy(logits) if kind == "entropy" else torch.ones_like(logits)
