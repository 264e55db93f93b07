"""What the Bayesian decoder is trained with beside the masks: calibration against its attackers, in three phases."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.training.task import Step

ATTACKED_KL, CALIBRATION = 0.05, 0.1  # shares of the attacked branch's loss (RUAC, Table S5)
Pixels = Float[Tensor, "*n h w"]


def calibration_loss(error: Pixels, u: Pixels) -> Float[Tensor, " *n"]:
    """Eq. 5, a mean over pixels: being sure and wrong costs, and so does doubting what is right.

    error: |p - y|. u: doubt. Both in [0, 1]. The first two terms teach the error alone, the last two u alone: the
    gradient of the first by the error vanishes where u is 0, and the second pair takes its place there.
    """
    e, v = error.detach(), u.detach()
    found = error * torch.exp(-v) + (1 - error) * torch.exp(v) + e * torch.exp(-u) + (1 - e) * torch.exp(u)
    return found.mean((-2, -1))


@dataclass(frozen=True)
class Weights:
    """Of the segmentation loss, of the divergence from the prior, and of all that is under attack."""

    segmentation: float
    divergence: float
    attack: float


@dataclass(frozen=True)
class Curriculum:
    """Masks first, then the prior, then the attackers. masks, prior: shares of all steps; the rest is under attack.

    The paper's are 5, 2 and 13 of 20 epochs.
    """

    masks: float
    prior: float

    def weights(self, step: Step) -> Weights:
        if step.share < self.masks:
            return Weights(1.0, 0.0, 0.0)
        if step.share < self.masks + self.prior:
            return Weights(1.0, 0.05, 0.0)
        return Weights(0.8, 0.05, 0.2)
