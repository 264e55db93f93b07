"""SAM's own mask with a predicted log-variance per pixel: what the three methods of the variance network share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.inference.algebra import Inputs, Masks, Measure, Outcome, Samples
from uncertsam.inference.measures import entropy
from uncertsam.methods.variance.network import VarianceNetwork, load, log_variances
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy, select

FITTED = "variance"


@dataclass(frozen=True)
class _WithLogVariance(Samples):
    """SAM's own answer as a sample of one, and the predicted log of its squared error, in [-5, 5]."""

    log_variance: Float[Tensor, "n h w"]


@dataclass(frozen=True)
class VarianceMethod:
    """P is SAM's; U is read off the log-variance of the mask that was picked."""

    network: VarianceNetwork
    policy: TokenPolicy
    measure: Measure

    def __call__(self, inputs: Inputs) -> _WithLogVariance:
        decoded = inputs.decoded
        chosen = select(decoded, self.policy)
        row = torch.arange(len(chosen.token), device=chosen.token.device)
        found = inputs.once(self.network, lambda: log_variances(self.network, decoded))[row, chosen.token]
        return _WithLogVariance(lambda: [chosen.logits[None]], chosen.iou, decoded.known_object_logit, found)


def build_method(params: TokenPolicy, model: PromptableModel, fitted: Path | None, measure: Measure) -> VarianceMethod:
    """Raises UserError where there is no trained network, it is not this model's, or not trained for these tokens."""
    network = load(fitted, model)
    if params.token == "dynamic" and len(network.hypernetworks) == 1:
        raise UserError(
            f"{fitted} was trained for token 0, but other tokens may be read.",
            "Set token: 0 in the method's section, or train_variance.token: all.",
        )
    return VarianceMethod(network, params, measure)


def measure_of_variance(name: str, read: Callable[[Masks], Masks]) -> Measure:
    """U as a function of the predicted log-variance."""

    def of(outcome: Outcome, logits: Masks) -> Masks:
        assert isinstance(outcome, _WithLogVariance)
        return read(outcome.log_variance)

    return Measure(name, of)


def coin_entropy(log_variance: Masks) -> Masks:
    """Entropy, in nats, of the coin p whose variance p (1 - p) is exp(log_variance), at most a fair coin's 1/4."""
    spread = (1 - 4 * log_variance.exp()).clamp(min=0).sqrt()  # |1 - 2 p|
    return entropy(2 * torch.atanh(spread.clamp(max=1 - 1e-7)))
