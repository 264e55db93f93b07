"""What the variance network is trained on: the squared error of SAM's probability as a normal's variance (App. E).

1/2 (exp(-s) (sigmoid(z) - M)^2 + s)     s the log-variance, z SAM's logit, M the mask
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.base.rng import derive_seed
from uncertsam.config.training import TrainVariance
from uncertsam.methods.variance.network import VarianceNetwork, build_network, log_variances
from uncertsam.models.layout import Size
from uncertsam.models.promptable import Decoded, PromptableModel
from uncertsam.training.accumulate import streamed_sum
from uncertsam.training.batches import portions_and_steps
from uncertsam.training.examples import Example
from uncertsam.training.task import Loss, Mode, ParameterGroup, Step, Task, paper_groups

CODE = ("training", "models", "inference", "methods/variance", "base/rng.py")


class VarianceTask(Task[Example]):
    """Mean over pixels, trained tokens and objects, summed over the prompt steps. SAM's own weights stay.

    Step k is asked with the first k prompts. Objects are taken as many at a time as fit in memory, and each such part
    of each step is differentiated before the next one begins: memory is that of one part, whatever the number of
    objects and steps. At SAM 2's 1024 px a part of 32 objects holds about 20 maps of 1024^2 float32 each beside the
    decoder's 0.2 GB: under 5 GB.
    """

    module: VarianceNetwork

    def __init__(self, model: PromptableModel, params: TrainVariance, seed: int) -> None:
        """seed: of the experiment, from which the network's first weights follow."""
        self.model, self.params = model, params
        self.module = build_network(model, params.token, derive_seed(seed, "variance"))
        self.side = model.image_size if params.resolution == "input" else params.resolution

    def parameter_groups(self) -> list[ParameterGroup]:
        return paper_groups(self.module, self.params)

    def loss(self, example: Example, step: Step, mode: Mode) -> tuple[Loss, dict[str, float]]:
        """The same at every step and in both modes."""
        return streamed_sum(self._parts(example), list(self.module.parameters())), {}

    def _parts(self, example: Example) -> Iterator[Loss]:
        for prompts, masks in portions_and_steps(self.model, example, self.params.steps, self.side):
            with torch.no_grad():
                decoded = self.model.decode(example.embedding, prompts)
            yield self._of(decoded, masks, example.size).sum() / len(example.prompts)

    def _of(self, decoded: Decoded, masks: Float[Tensor, "n s s"], size: Size) -> Float[Tensor, " n"]:
        low, to_square = log_variances(self.module, decoded), self.model.geometry.to_square
        found, logits = (to_square(m, size, self.side) for m in (low, decoded.logits[:, : low.shape[1]].float()))
        squared = (logits.sigmoid() - masks[:, None]).square()
        return (0.5 * (torch.exp(-found) * squared + found)).mean((1, 2, 3))
