"""Last-layer Laplace without sampling: the same posterior, the mean probability in closed form.

A logit is a sum of independent normals, hence normal: variance(i) = sum_c v_c E_c(i)^2.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from uncertsam.inference.algebra import Inputs, Moments
from uncertsam.methods.posterior.predictive import moments
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY, Measure
from uncertsam.models.promptable import PromptableModel

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
        return moments(self.state, inputs.decoded, self.gate)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> LaplaceClosed:
    """Raises UserError where there is no fitted posterior, or it is not this model's."""
    return LaplaceClosed(load(fitted, model), params.gate)
