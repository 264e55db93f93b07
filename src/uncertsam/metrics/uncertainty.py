"""Uncertainty maps: how U, which grows with uncertainty, is computed from what a method returns for a mask.

A method returns `logits` (of the mean probability P) and further maps: of several samples the moments below, of some
methods a map of their own. A `Measure` names the maps that it needs. Entropies are in nats. All measures, and where to
add one: `measure_list`. This file holds those that methods use themselves.

    logits               log(P / (1 - P)); every method has it
    predictive_entropy   entropy of a Bernoulli variable of probability P: the total uncertainty
    expected_entropy     mean of the samples' own entropies
    mutual_information   the first minus the second, at least 0: how far the samples disagree
                         (Houlsby et al., 2011, arXiv 1112.5745)
    variance_p           variance of the samples' probabilities, in [0, 1/4]
    variance_logit       variance of their logits
    max_p                1 - max(P, 1 - P), in [0, 1/2]
    log_variance         log of a predicted squared error, as a variance network gives it
    squared_error        that error
    coin_entropy         entropy of the Bernoulli variable of that variance; ln 2 for variances of 1/4 or more
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

Map = Float[np.ndarray, "*n h w"]


@dataclass(frozen=True)
class Measure:
    """How U is read off a method's maps.

    needs: the names of the maps that `formula` takes; without a formula, U is the map of the measure's own name.
    label: what people read.
    """

    name: str
    label: str
    unit: str = "1"
    needs: tuple[str, ...] = ()
    formula: Callable[..., Map] | None = None

    @property
    def title(self) -> str:
        """The label with its unit, such as "predictive entropy [nats]"."""
        return f"{self.label} [{self.unit}]"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of all maps that it reads."""
        return self.needs if self.formula else (self.name,)

    def of(self, maps: Mapping[str, Any]) -> Map:
        """U. Raises KeyError where a map is missing, ValueError where U has another shape than the maps."""
        read = [maps[name] for name in self.inputs]
        found: Map = self.formula(*read) if self.formula else read[0]
        if np.shape(found) != np.shape(read[0]):
            raise ValueError(f"measure {self.name}: U has shape {np.shape(found)}, its maps {np.shape(read[0])}")
        return found


def entropy(logits: Map) -> Map:
    """Entropy of a coin of probability sigmoid(logits), in nats, in [0, ln 2]; exact in both tails."""
    size = np.abs(logits)
    odds = np.exp(-size)
    return np.log1p(odds) + size * (odds / (1 + odds))


def _mutual_information(logits: Map, expected: Map) -> Map:
    return (entropy(logits) - expected).clip(min=0)


def coin_entropy(log_variance: Map) -> Map:
    """Entropy, in nats, of the coin p whose variance p (1 - p) is exp(log_variance), at most a fair coin's 1/4."""
    spread = np.sqrt((1 - 4 * np.exp(log_variance)).clip(min=0))  # |1 - 2 p|
    return entropy(2 * np.arctanh(spread.clip(max=1 - 1e-7)))


PREDICTIVE_ENTROPY = Measure("predictive_entropy", "predictive entropy", "nats", ("logits",), entropy)
EXPECTED_ENTROPY = Measure("expected_entropy", "expected entropy", "nats")
MUTUAL_INFORMATION = Measure(
    "mutual_information", "mutual information", "nats", ("logits", "expected_entropy"), _mutual_information
)
VARIANCE_P = Measure("variance_p", "variance of the probability")
COIN_ENTROPY = Measure("coin_entropy", "predictive entropy", "nats", ("log_variance",), coin_entropy)
