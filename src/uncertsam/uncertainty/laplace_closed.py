"""Last-layer Laplace without sampling: the same posterior, the mean probability in closed form.

A logit is a sum of independent normals, hence normal: variance(i) = sum_c v_c E_c(i)^2.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import BaseModel

from uncertsam.errors import UserError
from uncertsam.sam.model import PromptableModel
from uncertsam.sam.select import gate
from uncertsam.uncertainty.core.algebra import Inputs, Measure, Moments
from uncertsam.uncertainty.core.measures import PREDICTIVE_ENTROPY
from uncertsam.uncertainty.posterior.state import LaplaceState, load

FITTED: str | None = "laplace"


class Params(BaseModel, extra="forbid", frozen=True):
    """gate: as in `TokenPolicy`. The posterior is the one that the section `laplace` describes."""

    gate: bool = False


@dataclass(frozen=True)
class LaplaceClosed:
    """Mean and variance of token 0's logits."""

    state: LaplaceState
    gate: bool
    measure: Measure = PREDICTIVE_ENTROPY

    def __call__(self, inputs: Inputs) -> Moments:
        decoded = inputs.decoded
        spread = self.state.output_variance(decoded.hidden[:, 0])
        variance = (spread[:, None] @ decoded.features.flatten(2).square())[:, 0].reshape(decoded.logits[:, 0].shape)
        mean = decoded.logits[:, 0]
        if self.gate:
            mean = gate(mean, decoded.object_score)
            variance = torch.where(decoded.object_score[:, None, None] > 0, variance, 0.0)
        return Moments(mean, variance, decoded.iou[:, 0], decoded.object_score)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> LaplaceClosed:
    """Raises UserError where there is no fitted posterior, or it is not this model's."""
    if fitted is None:
        raise UserError("The method laplace_closed needs a fitted posterior.", "Run the fit_laplace stage first.")
    return LaplaceClosed(load(fitted, model), params.gate)
