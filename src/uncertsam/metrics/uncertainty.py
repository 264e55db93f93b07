"""Measures of uncertainty: from what a method says of a mask, in low-resolution maps, to U, which grows with doubt.

A method gives `logits`, of the mean probability, and the maps that cannot be derived from them: of several answers the
moments below, of some methods a map of their own. A map is a measure by its own name; `MEASURES` derives the others.
A further measure is one more line there. Entropies are in nats. P is the mean probability.

    predictive_entropy   of a coin of probability P: all the doubt there is
    expected_entropy     mean of the answers' own entropies: the doubt that they share
    mutual_information   the first less the second, at least 0: the doubt that lies in their disagreement
                         (Houlsby et al., 2011, arXiv 1112.5745)
    variance_p           variance of the answers' probabilities, in [0, 1/4]
    variance_logit       variance of their logits
    max_p                1 - max(P, 1 - P), in [0, 1/2]
    log_variance         log of a predicted squared error, as a variance network gives it
    squared_error        that error
    coin_entropy         entropy of the coin whose variance it is; from a fair coin's 1/4 on, ln 2
"""

from collections.abc import Callable, Collection, Mapping
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
        """U. Raises KeyError where a map is missing."""
        read = (maps[name] for name in self.inputs)
        return self.formula(*read) if self.formula else next(read)


def entropy(logits: Map) -> Map:
    """Entropy of a coin of probability sigmoid(logits), in nats, in [0, ln 2]; exact in both tails."""
    size = np.abs(logits)
    odds = np.exp(-size)
    return np.log1p(odds) + size * (odds / (1 + odds))


def _max_p(logits: Map) -> Map:
    odds = np.exp(-np.abs(logits))
    return odds / (1 + odds)


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
MEASURES = {
    measure.name: measure
    for measure in (
        PREDICTIVE_ENTROPY,
        EXPECTED_ENTROPY,
        MUTUAL_INFORMATION,
        VARIANCE_P,
        Measure("variance_logit", "variance of the logit"),
        Measure("max_p", "1 - max p", "1", ("logits",), _max_p),
        COIN_ENTROPY,
        Measure("squared_error", "predicted squared error", "1", ("log_variance",), np.exp),
        Measure("log_variance", "log-variance"),
    )
}


def supported(maps: Collection[str], first: Measure) -> list[Measure]:
    """Every measure that can be read off maps of these names; `first`, a method's own, comes first."""
    return [first, *(m for m in MEASURES.values() if m != first and {*m.inputs} <= {*maps})]
