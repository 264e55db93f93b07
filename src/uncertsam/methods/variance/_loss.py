"""What the variance network is trained on: the squared error of SAM's probability as a normal's variance (App. E).

1/2 (exp(-s) (sigmoid(z) - M)^2 + s)     s the log-variance, z SAM's logit, M the mask
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.methods.variance.network import VarianceNetwork, log_variances
from uncertsam.models.layout import Size
from uncertsam.models.promptable import Decoded, PromptableModel
from uncertsam.training.accumulate import streamed_sum
from uncertsam.training.batches import portions_and_steps

if TYPE_CHECKING:
    from uncertsam.training.engine import Example


@dataclass(frozen=True)
class VarianceLoss:
    """Mean over pixels, trained tokens and objects, summed over the prompt steps.

    Step k is asked with the first k prompts. side: of the square on which probabilities and masks are compared, in
    pixels. Objects are taken as many at a time as fit in memory, and each such part of each step is differentiated
    before the next one begins: memory is that of one part, whatever the number of objects and steps. At SAM 2's 1024 px
    a part of 32 objects holds about 20 maps of 1024^2 float32 each beside the decoder's 0.2 GB: under 5 GB.
    """

    model: PromptableModel
    network: VarianceNetwork
    steps: int
    side: int

    def __call__(self, example: "Example") -> tuple[Float[Tensor, ""], dict[str, float]]:
        """The loss of one image's objects, and nothing more to log."""
        return streamed_sum(self._parts(example), list(self.network.parameters())), {}

    def _parts(self, example: "Example") -> Iterator[Float[Tensor, ""]]:
        for prompts, masks in portions_and_steps(self.model, example, self.steps, self.side):
            with torch.no_grad():
                decoded = self.model.decode(example.embedding, prompts)
            yield self._of(decoded, masks, example.size).sum() / len(example.prompts)

    def _of(self, decoded: Decoded, masks: Float[Tensor, "n s s"], size: Size) -> Float[Tensor, " n"]:
        low, to_square = log_variances(self.network, decoded), self.model.geometry.to_square
        found, logits = (to_square(m, size, self.side) for m in (low, decoded.logits[:, : low.shape[1]].float()))
        squared = (logits.sigmoid() - masks[:, None]).square()
        return (0.5 * (torch.exp(-found) * squared + found)).mean((1, 2, 3))
