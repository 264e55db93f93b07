"""What the variance network is trained on: the squared error of SAM's probability as a normal's variance (App. E).

1/2 (exp(-s) (sigmoid(z) - M)^2 + s)     s the log-variance, z SAM's logit, M the mask
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from uncertsam.sam.model import Decoded, PromptableModel
from uncertsam.sam.schedule import prefix
from uncertsam.training.streamed import streamed_sum
from uncertsam.uncertainty.core.algebra import objects_at_once
from uncertsam.uncertainty.variance.network import VarianceNetwork, log_variances

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
        count, at_once = len(example.prompts), objects_at_once(self.model)
        for i in range(0, count, at_once):
            masks = _squared(example.masks[i : i + at_once], self.side)
            for step in range(1, self.steps + 1):
                with torch.no_grad():
                    decoded = self.model.decode(example.embedding, prefix(example.prompts[i : i + at_once], step))
                yield self._of(decoded, masks).sum() / count

    def _of(self, decoded: Decoded, masks: Float[Tensor, "n s s"]) -> Float[Tensor, " n"]:
        low = log_variances(self.network, decoded)
        found, logits = self._large(low), self._large(decoded.logits[:, : low.shape[1]].float())
        squared = (logits.sigmoid() - masks[:, None]).square()
        return (0.5 * (torch.exp(-found) * squared + found)).mean((1, 2, 3))

    def _large(self, maps: Float[Tensor, "n k h w"]) -> Float[Tensor, "n k s s"]:
        return F.interpolate(maps, (self.side, self.side), mode="bilinear", align_corners=False)


def _squared(masks: Tensor, side: int) -> Float[Tensor, "n s s"]:
    """Masks on the square, 1 where at least half of a pixel is object."""
    square = F.interpolate(masks[:, None].float(), (side, side), mode="bilinear", align_corners=False, antialias=True)
    return (square[:, 0] >= 0.5).float()
