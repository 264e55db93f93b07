"""Prompt perturbation: one image, N boxes, the first of them as given (paper 2 (ii)).

U is the entropy of the mean probability. Only boxes move; clicks and masks stay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import NonNegativeFloat, PositiveInt

from uncertsam.sam.model import PromptableModel
from uncertsam.sam.prompts import Prompts, jitter_boxes
from uncertsam.sam.select import TokenPolicy
from uncertsam.uncertainty.core.algebra import Inputs, Measure, Samples, objects_at_once
from uncertsam.uncertainty.core.augment import Boxes, move_boxes
from uncertsam.uncertainty.core.ensemble import Vote, pooled, vote
from uncertsam.uncertainty.core.measures import PREDICTIVE_ENTROPY

FITTED: str | None = None


class Params(TokenPolicy, frozen=True):
    """Which mask is read (members may differ in it); N and the noise, as in `jitter_boxes`. Defaults: the paper's.

    members: N, of which N - 1 are jittered. scale: of a box's sides. limit: pixels at 1024.
    chunk: prompts decoded together, None for what was measured to be fastest.
    """

    members: PositiveInt = 10
    scale: NonNegativeFloat = 0.1
    limit: NonNegativeFloat = 20.0
    chunk: PositiveInt | None = None


@dataclass(frozen=True)
class PromptPerturbation:
    """N answers per object from one embedding.

    Member k's noise on an object comes from the generator "prompt/k/<its box>": independent between objects, as in the
    paper's code, and the same whichever objects are asked about together. Equal boxes share it: they are one prompt.
    """

    params: Params
    measure: Measure = PREDICTIVE_ENTROPY

    def __call__(self, inputs: Inputs) -> Samples:
        members = [inputs.prompts, *(jittered(inputs, k, self.params) for k in range(1, self.params.members))]
        return pooled(self._votes(inputs, joined(members)), self.params.members)

    def _votes(self, inputs: Inputs, prompts: Prompts) -> Iterator[Vote]:
        step = self.params.chunk or objects_at_once(inputs.model)
        for start in range(0, len(prompts), step):
            yield vote(inputs.model.decode(inputs.embedding, prompts[start : start + step]), self.params)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> PromptPerturbation:
    """Nothing is fitted."""
    return PromptPerturbation(params)


def jittered(inputs: Inputs, k: int, params: Params) -> Prompts:
    """Member k's prompts."""
    size = inputs.model.image_size

    def move(boxes: Boxes) -> Boxes:
        moved = [boxes[:0]]
        for box in boxes:
            draw = inputs.generator(f"prompt/{k}/{_name(box.tolist())}")
            moved.append(jitter_boxes(box[None], size, draw, params.scale, params.limit))
        return torch.cat(moved)

    return move_boxes(inputs.prompts, move)


def joined(members: Sequence[Prompts]) -> Prompts:
    """One member's prompts after the other's; all of them have masks, or none."""
    masks = [member.masks for member in members if member.masks is not None]
    points, labels = ([getattr(member, part) for member in members] for part in ("points", "labels"))
    return Prompts(torch.cat(points), torch.cat(labels), torch.cat(masks) if masks else None)


def _name(box: list[float]) -> str:
    """Hundredths of a pixel: more digits would tell machines apart, not boxes."""
    return ",".join(f"{coordinate:.2f}" for coordinate in box)
