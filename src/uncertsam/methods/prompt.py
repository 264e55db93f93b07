"""Prompt perturbation: one image, N boxes, the first of them as given (paper 2 (ii)).

U is the entropy of the mean probability. Only boxes move; clicks and masks stay.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import PositiveInt

from uncertsam.inference.algebra import Inputs, Samples, objects_at_once
from uncertsam.inference.ensemble import Vote, pooled, vote
from uncertsam.inference.perturb import BoxNoise, joined, moved_prompts
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY, Measure
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy

FITTED: str | None = None


class Params(TokenPolicy, BoxNoise, frozen=True):
    """Which mask is read (members may differ in it); N and the noise, as in `BoxNoise`. Defaults: the paper's.

    members: N, of which N - 1 are jittered. chunk: prompts decoded together, None for what was measured to be fastest.
    """

    members: PositiveInt = 10
    chunk: PositiveInt | None = None


@dataclass(frozen=True)
class _PromptPerturbation:
    """N answers per object from one embedding.

    Member k's noise on an object comes from the generator "prompt/k/<its box>": independent between objects, as in the
    paper's code, and the same whichever objects are asked about together. Equal boxes share it: they are one prompt.
    """

    params: Params
    measure: Measure = PREDICTIVE_ENTROPY

    def __call__(self, inputs: Inputs) -> Samples:
        return pooled(self._votes(inputs), self.params.members)

    def _votes(self, inputs: Inputs) -> Iterator[Vote]:
        yield vote(inputs.decoded, self.params)  # the boxes as given, which other methods ask about, too
        moved = [moved_prompts(inputs, k, self.params) for k in range(1, self.params.members)]
        prompts, step = joined(moved or [inputs.prompts[:0]]), self.params.chunk or objects_at_once(inputs.model)
        for start in range(0, len(prompts), step):
            yield vote(inputs.model.decode(inputs.embedding, prompts[start : start + step]), self.params)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> _PromptPerturbation:
    """Nothing is fitted."""
    return _PromptPerturbation(params)
