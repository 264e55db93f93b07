"""What fusion is trained on: the second pass of every step of the prompt sequences (the authors' code)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.config.arms import Map
from uncertsam.experiments.refinement._refine import second_pass
from uncertsam.experiments.refinement.first_pass import FirstPass
from uncertsam.experiments.refinement.fusion import Fusion
from uncertsam.inference.algebra import Inputs
from uncertsam.models.layout import Size
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import Selected, TokenPolicy, select
from uncertsam.training.accumulate import streamed_sum
from uncertsam.training.batches import portions_and_steps
from uncertsam.training.losses import dice_loss, focal_loss, iou_of_logits

if TYPE_CHECKING:
    from uncertsam.training.engine import Example

FOCAL, DICE, IOU = 20.0, 1.0, 1.0  # SAM 2's weights


@dataclass(frozen=True)
class FusionLoss:
    """20 focal + dice + |predicted IoU - IoU|, mean over objects, summed over the prompt steps.

    Step k: the first pass is asked with the first k prompts, without gradient; the second with the same prompts and
    what the first said. side: of the square on which logits and masks are compared, in pixels. policy: which mask of
    the second pass is read. Objects are taken as many at a time as fit in memory; each such part is differentiated
    before the next one begins.
    """

    model: PromptableModel
    fusion: Fusion
    first: FirstPass
    map: Map
    policy: TokenPolicy
    steps: int
    side: int

    def __call__(self, example: "Example") -> tuple[Float[Tensor, ""], dict[str, float]]:
        """The loss of one image's objects. With the identity start it is the unrefined masks'."""
        return streamed_sum(self._parts(example), list(self.fusion.parameters())), {}

    def _parts(self, example: "Example") -> Iterator[Float[Tensor, ""]]:
        for prompts, masks in portions_and_steps(self.model, example, self.steps, self.side):
            inputs = Inputs(self.model, example.embedding, prompts, _no_picture, example.generator)
            yield self._of(self._refined(inputs), masks, example.size).sum() / len(example.prompts)

    def _refined(self, inputs: Inputs) -> Selected:
        with torch.no_grad():
            logits = self.first(inputs)
        return select(second_pass(self.fusion, self.map, inputs, logits), self.policy)

    def _of(self, chosen: Selected, masks: Float[Tensor, "n s s"], size: Size) -> Float[Tensor, " n"]:
        logits = self.model.geometry.to_square(chosen.logits[:, None], size, self.side)[:, 0]
        found = (chosen.iou - iou_of_logits(logits, masks)).abs()
        return FOCAL * focal_loss(logits, masks) + DICE * dice_loss(logits.sigmoid(), masks) + IOU * found


def _no_picture() -> Any:
    raise ValueError("training sees embeddings, not pictures")
