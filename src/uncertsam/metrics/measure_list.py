"""All measures by which a mask's uncertainty is scored. To add one, add an entry to `MEASURES`.

Only the stages from `measure` on read this list: a new entry fits nothing again and predicts nothing again.
"""

from collections.abc import Collection

import numpy as np
from jaxtyping import Float

from uncertsam.metrics.uncertainty import (
    COIN_ENTROPY,
    EXPECTED_ENTROPY,
    MUTUAL_INFORMATION,
    PREDICTIVE_ENTROPY,
    VARIANCE_P,
    Measure,
)

Map = Float[np.ndarray, "*n h w"]


def _max_p(logits: Map) -> Map:
    odds = np.exp(-np.abs(logits))
    return odds / (1 + odds)


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
