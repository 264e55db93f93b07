"""Last-layer Laplace by sampling, as in the paper: U is the entropy of the mean probability of N networks.

Only the layer's output varies, and it is a normal vector of a few dozen entries given its input. So that vector is
sampled instead of the weights: the same distribution, some 250 times fewer random numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from uncertsam.inference.algebra import Inputs, Samples
from uncertsam.methods.posterior.fit import FitParams
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY, Measure
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import gate

FITTED: str | None = "laplace"


class Params(FitParams, frozen=True):
    """The fit's parameters and the prediction's. samples: N. gate: as in `TokenPolicy`; the paper's code has none here.

    Token 0 is read always: the other tokens do not pass through the layer.
    """

    samples: PositiveInt = 1000
    gate: bool = False


@dataclass(frozen=True)
class Laplace:
    """N samples of token 0's logits. All objects of an image share their noise, so none depends on the others."""

    state: LaplaceState
    samples: int
    gate: bool
    measure: Measure = PREDICTIVE_ENTROPY

    def __call__(self, inputs: Inputs) -> Samples:
        decoded = inputs.decoded
        mean, variance = decoded.weights[:, 0], self.state.output_variance(decoded.hidden[:, 0])
        noise = torch.randn(self.samples, 1, mean.shape[1], generator=inputs.generator("laplace"))
        weights = mean + variance.sqrt() * noise.to(mean)
        score = decoded.object_score if self.gate else None
        return Samples(lambda: _logits(weights, decoded.features, score), decoded.iou[:, 0], decoded.object_score)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Laplace:
    """Raises UserError where there is no fitted posterior, or it is not this model's."""
    return Laplace(load(fitted, model), params.samples, params.gate)


def _logits(
    weights: Float[Tensor, "s n c"], features: Float[Tensor, "n c h w"], score: Float[Tensor, " n"] | None
) -> Iterator[Float[Tensor, "k n h w"]]:
    """weights @ features, in portions of about 2^20 logits on a CPU (its cache) and 2^26 elsewhere."""
    most = 2**20 if features.device.type == "cpu" else 2**26
    count, _, height, width = features.shape
    for portion in torch.split(weights, max(1, most // (count * height * width))):
        logits = (portion.transpose(0, 1) @ features.flatten(2)).transpose(0, 1).reshape(-1, count, height, width)
        yield logits if score is None else gate(logits, score)
