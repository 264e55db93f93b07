"""The variance network: a second read-out of the decoder that predicts the squared error of SAM's probability.

P is SAM's own. The predicted log-variance of the mask that was picked, in [-5, 5], is read as three measures: as it is
(the paper's code), as its exponential, and as the entropy of the coin whose variance it is, which is the default. A
coin of probability p has variance p (1 - p), and that is the expected squared error of an honest probability.
"""

from dataclasses import dataclass
from pathlib import Path

import torch

from uncertsam.base.errors import UserError
from uncertsam.inference.algebra import Inputs, Samples
from uncertsam.methods.variance.network import VarianceNetwork, load, log_variances
from uncertsam.metrics.uncertainty import COIN_ENTROPY, Measure
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy, select

FITTED: str | None = "variance"


class Params(TokenPolicy, frozen=True):
    """Which mask is read, and with it whose variance."""


@dataclass(frozen=True)
class VarianceMethod:
    """SAM's own answer as a sample of one, and its log-variance."""

    network: VarianceNetwork
    policy: TokenPolicy
    measure: Measure = COIN_ENTROPY

    def __call__(self, inputs: Inputs) -> Samples:
        decoded = inputs.decoded
        chosen = select(decoded, self.policy)
        row = torch.arange(len(chosen.token), device=chosen.token.device)
        found = log_variances(self.network, decoded)[row, chosen.token]
        return Samples(lambda: [chosen.logits[None]], chosen.iou, decoded.known_object_logit, {"log_variance": found})


def build(params: Params, model: PromptableModel, fitted: Path | None) -> VarianceMethod:
    """Raises UserError where there is no trained network, it is not this model's, or not trained for these tokens."""
    network = load(fitted, model)
    if params.token == "dynamic" and len(network.hypernetworks) == 1:
        raise UserError(
            f"{fitted} was trained for token 0, but other tokens may be read.",
            "Set token: 0 in the method's section, or train_variance.token: all.",
        )
    return VarianceMethod(network, params)
