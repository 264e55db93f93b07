"""Sum of the predictive entropies under Laplace, changed colours and moved boxes; each source is varied alone.

U is in [0, 3 ln 2] nats. P is the mean of the three ensembles' probabilities. SAM's own entropy is in every term, so
this is closest to three votes on where SAM is unsure; `combined_total` counts only what the sources change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uncertsam.inference.algebra import Combined, Inputs
from uncertsam.methods.joint.ensembles import JointParams, pictures, spread
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.metrics.uncertainty import Measure
from uncertsam.models.promptable import Embedding, PromptableModel

FITTED: str | None = "laplace"
MEASURE = Measure("sum_of_entropies", "sum of predictive entropies", "nats")


class Params(JointParams, frozen=True):
    """The ensembles."""


@dataclass(frozen=True)
class _CombinedSum:
    """V encodings and V + B - 1 decodings per object; Laplace in closed form."""

    state: LaplaceState
    params: JointParams
    measure: Measure = MEASURE

    def __call__(self, inputs: Inputs) -> Combined:
        return self.for_image(inputs)(inputs)

    def for_image(self, inputs: Inputs) -> "_SeenSum":
        """Encode the pictures."""
        return _SeenSum(pictures(inputs, self.params), self.state, self.params, self.measure)


@dataclass(frozen=True)
class _SeenSum:
    """The method for one image whose pictures are encoded."""

    embeddings: Sequence[Embedding]
    state: LaplaceState
    params: JointParams
    measure: Measure

    def __call__(self, inputs: Inputs) -> Combined:
        found = spread(inputs, self.embeddings, self.state, self.params)
        return Combined(found.logits, found.entropies[:3].sum(0), found.iou, found.object_logit)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> _CombinedSum:
    """Raises UserError where there is no fitted posterior, or it is not this model's."""
    return _CombinedSum(load(fitted, model), params)
