"""Naive baseline: SAM 2's mask, doubted near its own boundary; where it has none, doubted nowhere."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import PositiveFloat

from uncertsam.inference.algebra import Inputs, Plain
from uncertsam.inference.measures import boundary_proximity
from uncertsam.metrics.uncertainty import Measure
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy

FITTED: str | None = None
MEASURE = Measure("boundary_proximity", "proximity to the predicted boundary")


class Params(TokenPolicy, frozen=True):
    """Which mask is read. scale: the distance at which U has fallen to 1/e, as a share of the diagonal."""

    scale: PositiveFloat = 0.02


@dataclass(frozen=True)
class _BoundaryDistance(Plain):
    """One sample: the selected logits. U falls with the distance to {logits = 0} in the picture's own proportions."""

    scale: float = Params.model_fields["scale"].default

    def for_image(self, inputs: Inputs) -> Plain:
        height, width = inputs.image().shape[:2]
        return Plain(self.policy, MEASURE, partial(boundary_proximity, scale=self.scale, picture=(height, width)))


def build(params: Params, model: PromptableModel, fitted: Path | None) -> _BoundaryDistance:
    """Nothing is fitted."""
    return _BoundaryDistance(params, MEASURE, partial(boundary_proximity, scale=params.scale), params.scale)
