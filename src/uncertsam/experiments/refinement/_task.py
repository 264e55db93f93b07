"""What fusion is trained on: the second pass of every step of the prompt sequences (the authors' code)."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.base.rng import derive_seed
from uncertsam.config.arms import Arm
from uncertsam.config.training import TrainFusion
from uncertsam.experiments.refinement._refine import second_pass
from uncertsam.experiments.refinement.first_pass import FirstPass
from uncertsam.experiments.refinement.fusion import Fusion, build_fusion
from uncertsam.inference.algebra import Inputs
from uncertsam.models.layout import Size
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import Selected, TokenPolicy, select
from uncertsam.training.accumulate import streamed_sum
from uncertsam.training.batches import portions_and_steps
from uncertsam.training.examples import Example
from uncertsam.training.losses import sam_loss
from uncertsam.training.task import Loss, Mode, ParameterGroup, Step, Task, paper_groups


class FusionTask(Task[Example]):
    """One arm and fold: mean over objects, summed over the prompt steps. The model's own weights are frozen, for good.

    Step k: the first pass is asked with the first k prompts, without gradient; the second with the same prompts and
    what the first said. Objects are taken as many at a time as fit in memory; each such part is differentiated before
    the next one begins.
    """

    module: Fusion

    def __init__(
        self, model: PromptableModel, arm: Arm, first: FirstPass, params: TrainFusion, seed: int, fold: str
    ) -> None:
        """seed: of the experiment; all arms begin with the same weights."""
        model.freeze()
        self.model, self.first, self.params, self.arm = model, first, params, arm
        self.module = build_fusion(model, params.init, derive_seed(seed, "fusion", fold))
        self.side = model.image_size if params.resolution == "input" else params.resolution
        self.policy = TokenPolicy(token=params.token, gate=params.gate)

    def parameter_groups(self) -> list[ParameterGroup]:
        """With the arm's own weight decay."""
        own = self.params.weight_decay_ones
        if self.arm.map != "ones" or own is None:
            return paper_groups(self.module, self.params)
        return paper_groups(self.module, self.params.model_copy(update={"weight_decay": own}))

    def loss(self, example: Example, step: Step, mode: Mode) -> tuple[Loss, dict[str, float]]:
        """The same at every step and in both modes. With the identity start it is the unrefined masks'."""
        return streamed_sum(self._parts(example), list(self.module.parameters())), {}

    def _parts(self, example: Example) -> Iterator[Loss]:
        for prompts, masks in portions_and_steps(self.model, example, self.params.steps, self.side):
            inputs = Inputs(self.model, example.embedding, prompts, example.picture, example.generator)
            yield self._of(self._refined(inputs), masks, example.size).sum() / len(example.prompts)

    def _refined(self, inputs: Inputs) -> Selected:
        with torch.no_grad():
            logits = self.first(inputs)
        return select(second_pass(self.module, self.arm.map, inputs, logits), self.policy)

    def _of(self, chosen: Selected, masks: Float[Tensor, "n s s"], size: Size) -> Float[Tensor, " n"]:
        logits = self.model.geometry.to_square(chosen.logits[:, None], size, self.side)
        return sam_loss(logits, chosen.iou[:, None], masks)
