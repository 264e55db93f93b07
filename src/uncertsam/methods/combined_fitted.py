"""A fitted combination: the error |P - M| that the entropies of Laplace, colours, boxes and SAM 2 itself foretell.

Fitted on calibration images alone, by stage `fit_combination`. P is that of `combined_sum`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from uncertsam.inference.algebra import Combined, Inputs
from uncertsam.methods.joint.combination import Combination
from uncertsam.methods.joint.combination import load as load_combination
from uncertsam.methods.joint.ensembles import pictures, spread
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.metrics.uncertainty import Measure
from uncertsam.models.promptable import Embedding, PromptableModel

FITTED: str | None = "combination"
MEASURE = Measure("expected_error", "expected error")


class Params(BaseModel, extra="forbid", frozen=True):
    """None: the ensembles are those that the combination was fitted on."""


@dataclass(frozen=True)
class _CombinedFitted:
    """Cost as that of `combined_sum`."""

    combination: Combination
    state: LaplaceState
    measure: Measure = MEASURE

    def __call__(self, inputs: Inputs) -> Combined:
        return self.for_image(inputs)(inputs)

    def for_image(self, inputs: Inputs) -> "_SeenFitted":
        """Encode the pictures."""
        return _SeenFitted(pictures(inputs, self.combination.params), self)


@dataclass(frozen=True)
class _SeenFitted:
    """The method for one image whose pictures are encoded."""

    embeddings: Sequence[Embedding]
    method: _CombinedFitted

    @property
    def measure(self) -> Measure:
        return self.method.measure

    def __call__(self, inputs: Inputs) -> Combined:
        found = spread(inputs, self.embeddings, self.method.state, self.method.combination.params)
        return Combined(found.logits, self.method.combination(found.entropies), found.iou, found.object_logit)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> _CombinedFitted:
    """Raises UserError where there is no fitted combination, or it is not this model's."""
    return _CombinedFitted(load_combination(fitted, model), load(fitted and fitted / "laplace", model))
