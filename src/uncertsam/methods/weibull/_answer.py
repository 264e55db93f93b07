"""One answer of the Bayesian decoder in training: what it costs, and the clicks that correct it."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from uncertsam.methods.weibull.losses import calibration_loss
from uncertsam.methods.weibull.readout import Evidence
from uncertsam.methods.weibull.uncertainty import Variance, analytic_doubt
from uncertsam.models.promptable import Decoded
from uncertsam.models.prompts import BACKGROUND, FOREGROUND, PAD, Prompts
from uncertsam.training.losses import sam_loss

FROM_TRUTH = 0.1  # share of the corrections that are clicks on the object, wherever the error is (SAM 2)
Truth = Float[Tensor, "n s s"]


@dataclass(frozen=True)
class Answer:
    """logits: sampled or mean. several: of which objects tokens 1 to 3 answer, those asked with a single click."""

    decoded: Decoded
    evidence: Evidence
    logits: Float[Tensor, "n t h w"]
    several: Bool[Tensor, " n"]

    @cached_property
    def token(self) -> Int[Tensor, " n"]:
        """The one that is read: token 0, or the one of best predicted IoU."""
        return torch.where(self.several, 1 + self.decoded.scores[:, 1:].argmax(1), 0)

    def picked(self, maps: Float[Tensor, "n t h w"]) -> Float[Tensor, "n h w"]:
        return maps[torch.arange(len(maps), device=maps.device), self.token]

    def segmentation(self, truth: Truth) -> Float[Tensor, " n"]:
        """SAM 2's loss on the masks that answer; every object is there."""
        large = F.interpolate(self.logits, truth.shape[-2:], mode="bilinear", align_corners=False)
        iou, score = self.decoded.scores, self.decoded.known_object_logit
        one, best = sam_loss(large[:, :1], iou[:, :1], truth), sam_loss(large[:, 1:], iou[:, 1:], truth)
        return torch.where(self.several, best, one) + F.softplus(-score)

    def calibration(self, truth: Truth, variance: Variance) -> Float[Tensor, " n"]:
        """Of the token that is read, with analytic u, at the logits' resolution."""
        error = (self.picked(self.logits).sigmoid() - at_side(truth, self.logits.shape[-1])).abs()
        return calibration_loss(error, self.picked(analytic_doubt(self.evidence, variance)))


def at_side(truth: Truth, side: int) -> Float[Tensor, "n side side"]:
    """0 and 1 at another resolution."""
    return F.interpolate(truth[:, None], (side, side), mode="nearest")[:, 0]


def corrected(prompts: Prompts, answer: Answer, truth: Truth, size: int, generator: torch.Generator) -> Prompts:
    """One more click per object, anywhere in its error, and the answer fed back. size: side of the model's input.

    Without an error, and sometimes with one, the click is on the object.
    """
    logits = answer.picked(answer.logits).detach()
    target = at_side(truth, answer.logits.shape[-1]) > 0.5
    clicks = [_click(*pair, generator) for pair in zip((logits > 0) != target, target, strict=True)]
    at, labels = torch.tensor([click[:2] for click in clicks]), torch.tensor([click[2:] for click in clicks])
    points = ((at + 0.5) * size / logits.shape[-1] - 0.5).to(prompts.points)
    more = torch.cat([prompts.points, points[:, None]], 1), torch.cat([prompts.labels, labels.to(prompts.labels)], 1)
    return Prompts(*more, logits.clamp(-32, 32)[:, None])


def _click(
    wrong: Bool[Tensor, "h w"], target: Bool[Tensor, "h w"], generator: torch.Generator
) -> tuple[float, float, int]:
    """x, y and label; padding where there is neither an error nor an object at this resolution."""
    free = bool(torch.rand(1, generator=generator) < FROM_TRUTH) and bool(target.any())
    cells = torch.nonzero(target if free or not wrong.any() else wrong)
    if not len(cells):
        return 0.0, 0.0, PAD
    y, x = cells[int(torch.randint(len(cells), (1,), generator=generator))].tolist()
    return float(x), float(y), FOREGROUND if target[y, x] else BACKGROUND
