"""Total variance of the probability over models, pictures and boxes at once, and the share of each.

U = Var[p], p over the full grid of S last layers, V pictures and B boxes; the variance, because it alone falls apart
exactly (law of total variance): see `joint.decompose`. P is the mean over the grid. An answer to the paper's open
question 3, which asks how to combine the sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from uncertsam.inference.algebra import Inputs, Samples
from uncertsam.methods.joint.decompose import decompose
from uncertsam.methods.joint.ensembles import JointParams, boxes, pictures
from uncertsam.methods.posterior.predictive import DrawnLayers
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.metrics.uncertainty import VARIANCE_P, Measure
from uncertsam.models.promptable import Embedding, PromptableModel
from uncertsam.models.prompts import Prompts

FITTED: str | None = "laplace"


class Params(JointParams, frozen=True):
    """samples: S, of which the first is the model's own layer; 1 switches a source off, as with `views`, `prompts`."""

    samples: PositiveInt = 16


@dataclass(frozen=True)
class _CombinedTotal:
    """S * V * B answers per object, from V encodings and V * B decodings; some 16 * S * V * B * h * w bytes each."""

    state: LaplaceState
    params: Params
    measure: Measure = VARIANCE_P

    def __call__(self, inputs: Inputs) -> Samples:
        return self.for_image(inputs)(inputs)

    def for_image(self, inputs: Inputs) -> "_SeenTotal":
        """Encode the pictures, draw the layers: all objects of an image share them."""
        layers = DrawnLayers(self.state, self.params.samples, inputs.generator("combined_total"))
        return _SeenTotal(pictures(inputs, self.params), layers, self.params, self.measure)


@dataclass(frozen=True)
class _SeenTotal:
    """The method for one image whose pictures are encoded."""

    embeddings: Sequence[Embedding]
    layers: DrawnLayers
    params: Params
    measure: Measure

    def __call__(self, inputs: Inputs) -> Samples:
        iou, score = inputs.decoded.scores[:, 0], inputs.decoded.known_object_logit
        grid = self._grid(inputs)
        return Samples(lambda: [grid.flatten(0, 2)], iou, score, parts=decompose(grid.sigmoid())[1])

    def _grid(self, inputs: Inputs) -> Float[Tensor, "s v b n h w"]:
        prompts = boxes(inputs, self.params)
        rows = [[self._ask(inputs, embedding, box) for box in prompts] for embedding in self.embeddings]
        return torch.stack([torch.stack(row, 1) for row in rows], 1)

    def _ask(self, inputs: Inputs, embedding: Embedding, prompts: Prompts) -> Float[Tensor, "s n h w"]:
        return self.layers.logits(inputs.model.decode(embedding, prompts), self.params.gate)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> _CombinedTotal:
    """Raises UserError where there is no fitted posterior, or it is not this model's."""
    return _CombinedTotal(load(fitted, model), params)
