"""Last-layer Laplace by sampling, as in the paper: U is the entropy of the mean probability of N networks.

Only the layer's output varies, and it is a normal vector of a few dozen entries given its input. So that vector is
sampled instead of the weights: the same distribution, some 250 times fewer random numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from pydantic import BaseModel, PositiveInt
from torch import Tensor

from uncertsam.inference.algebra import Inputs, Samples
from uncertsam.methods.posterior.predictive import output_variance
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY, Measure
from uncertsam.models.promptable import PromptableModel, contract
from uncertsam.models.select import gate

FITTED: str | None = "laplace"


class Params(BaseModel, extra="forbid", frozen=True):
    """samples: N. gate: as in `TokenPolicy`; the paper's code has none here.

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
        generator, drawn = inputs.generator("laplace"), []
        for head, variance in zip(decoded.heads, output_variance(self.state, decoded), strict=True):
            noise = torch.randn(self.samples, 1, variance.shape[1], generator=generator)
            drawn.append(head.output(0) + variance.sqrt() * noise.to(variance))
        features, there = [head.features for head in decoded.heads], decoded.object_logit if self.gate else None
        return Samples(lambda: _logits(drawn, features, there), decoded.scores[:, 0], decoded.known_object_logit)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Laplace:
    """Raises UserError where there is no fitted posterior, or it is not this model's."""
    return Laplace(load(fitted, model), params.samples, params.gate)


def _logits(
    drawn: Sequence[Float[Tensor, "s n _"]],
    features: Sequence[Float[Tensor, "n _ h w"]],
    object_logit: Float[Tensor, " n"] | None,
) -> Iterator[Float[Tensor, "k n h w"]]:
    """drawn . features, in portions of about 2^20 logits on a CPU (its cache) and 2^26 elsewhere."""
    most = 2**20 if features[0].device.type == "cpu" else 2**26
    count, _, height, width = features[0].shape
    portions = [torch.split(outputs, max(1, most // (count * height * width))) for outputs in drawn]
    for portion in zip(*portions, strict=True):
        logits = contract([outputs.transpose(0, 1) for outputs in portion], features).transpose(0, 1)
        yield gate(logits, object_logit)
