"""What an uncertainty is made of: named maps beside U, from the outcome that U comes from.

For equally likely samples whose U is the entropy of their mean probability (Houlsby et al., 2011, arXiv 1112.5745):

    expected_entropy     mean over samples of the entropy of each: doubt that every sample shares
    mutual_information   U minus that: doubt that lies in the samples' disagreement

Both are in nats and at least 0. A single sample has nothing to disagree with, and moments have no samples: no parts.
Several ensembles that are summed up already bring their own parts, such as the shares of model, image and prompt.
"""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch

from uncertsam.inference.algebra import Combined, Inputs, Masks, Measure, Method, Outcome, Samples, mean_logit
from uncertsam.inference.measures import PREDICTIVE_ENTROPY, entropy

Parts = dict[str, Masks]


@runtime_checkable
class _Decomposing(Protocol):
    """A method that knows better than the rule above what its U is made of."""

    def decompose(self, outcome: Outcome) -> Parts:
        """The named maps; the same names for every outcome."""
        ...


@dataclass(frozen=True)
class Decomposed:
    """A method, listened to: its outcomes pass unchanged, so that its answers do not either; their parts are kept."""

    method: Method
    found: list[Parts] = field(default_factory=list)

    @property
    def measure(self) -> Measure:
        return self.method.measure

    def __call__(self, inputs: Inputs) -> Outcome:
        outcome = self.method(inputs)
        if isinstance(self.method, _Decomposing):
            self.found.append(self.method.decompose(outcome))
        elif isinstance(outcome, Combined):
            self.found.append(dict(outcome.parts))
        elif self.method.measure is PREDICTIVE_ENTROPY:
            self.found.append(entropies(outcome))
        return outcome

    def parts(self) -> Parts:
        """The parts of all objects asked about so far, in that order; empty where there are none."""
        names = self.found[0] if self.found else {}
        return {name: torch.cat([part[name] for part in self.found]) for name in names}


def entropies(outcome: Outcome) -> Parts:
    """Expected entropy and mutual information; empty without samples or with one of them."""
    if not isinstance(outcome, Samples):
        return {}
    total, count = torch.zeros(()), 0
    for logits in outcome.chunks():
        total = total.to(logits) + entropy(logits.flatten(0, 1)).reshape(logits.shape).sum(0)
        count += len(logits)
    if count < 2:
        return {}
    expected = total / count
    return {
        "expected_entropy": expected,
        "mutual_information": (entropy(mean_logit(outcome)) - expected).clamp(min=0),
    }
