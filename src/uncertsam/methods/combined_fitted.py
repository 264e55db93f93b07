"""A fitted combination: the error |P - M| that the entropies of Laplace, colours, boxes and SAM 2 itself foretell.

Fitted on calibration images alone, by stage `fit_combination`. P is that of `combined_sum`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from uncertsam.inference.algebra import Combined, Inputs
from uncertsam.methods.joint.combination import Combination
from uncertsam.methods.joint.combination import load as load_combination
from uncertsam.methods.joint.ensembles import JointParams, pictures, spread
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.metrics.uncertainty import Measure
from uncertsam.models.promptable import Embedding, PromptableModel

FITTED: str | None = "combination"
MEASURE = Measure("expected_error", "expected error")


class Params(JointParams, frozen=True):
    """The ensembles, and the dataset on whose `calibrate` split the weights are fitted."""

    dataset: str


@dataclass(frozen=True)
class _CombinedFitted:
    """Cost as that of `combined_sum`."""

    combination: Combination
    state: LaplaceState
    params: JointParams
    measure: Measure = MEASURE

    def __call__(self, inputs: Inputs) -> Combined:
        return self.for_image(inputs)(inputs)

    def for_image(self, inputs: Inputs) -> "_SeenFitted":
        """Encode the pictures."""
        return _SeenFitted(pictures(inputs, self.params), self)


@dataclass(frozen=True)
class _SeenFitted:
    """The method for one image whose pictures are encoded."""

    embeddings: Sequence[Embedding]
    method: _CombinedFitted

    @property
    def measure(self) -> Measure:
        return self.method.measure

    def __call__(self, inputs: Inputs) -> Combined:
        found = spread(inputs, self.embeddings, self.method.state, self.method.params)
        return Combined(found.logits, self.method.combination(found.entropies), found.iou, found.object_score)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> _CombinedFitted:
    """Raises UserError where there is no fitted combination, or it is not this model's or these parameters'."""
    combination = load_combination(fitted, model, params.model_dump(mode="json"))
    return _CombinedFitted(combination, load(fitted and fitted / "laplace", model), params)
