"""One step of pre-training: scenes, prompted the way people prompt, and what the answers cost."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from uncertsam.base.rng import numpy_generator
from uncertsam.models.geometry import normalise
from uncertsam.models.promptable import Decoded, PromptableModel
from uncertsam.models.prompts import TOP_LEFT, Prompts
from uncertsam.pretraining._interaction import correct, first_prompt
from uncertsam.pretraining._scenes import compose
from uncertsam.pretraining.materials import Materials
from uncertsam.training.losses import iou_of_logits, mask_loss

MOST = 4  # objects prompted per scene
ONE_CLICK = 0.5  # share of the batches whose objects start from one click
ROUNDS = (1, 1, 2, 3, 5)  # corrections in a row, drawn alike


@dataclass
class _Batch:
    """Scenes and prompts of one step; `owner` says which image an object belongs to, `present` whether it is there."""

    images: Float[Tensor, "b 3 s s"]
    points: Float[Tensor, "n k 2"]
    labels: Tensor
    targets: Float[Tensor, "n s s"]
    owner: Tensor
    present: Tensor


class SceneBatches(Dataset[_Batch]):
    """Batch `i` is a function of (seed, i) alone, so that a resumed run sees what an uninterrupted one sees."""

    def __init__(self, materials: Materials, seed: int, size: int, batch: int, steps: int) -> None:
        self.materials, self.seed, self.size, self.batch, self.steps = materials, seed, size, batch, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> _Batch:
        rng = numpy_generator(self.seed, "pretrain", step)
        scenes = [compose(rng, self.materials, self.size, MOST) for _ in range(self.batch)]
        owner = np.concatenate([np.full(len(s.masks), i) for i, s in enumerate(scenes)])
        masks = np.concatenate([s.masks for s in scenes])
        one_click = rng.random() < ONE_CLICK
        prompts = [first_prompt(rng, m, one_click) for m in masks]
        present = rng.random(len(masks)) > 0.03
        elsewhere = np.where(present, owner, (owner + 1) % self.batch)  # a prompt for an object of another image
        images = np.stack([s.image for s in scenes])
        return _Batch(
            normalise(torch.from_numpy(images).permute(0, 3, 1, 2)),
            torch.from_numpy(np.stack([p for p, _ in prompts])),
            torch.from_numpy(np.stack([q for _, q in prompts])),
            torch.from_numpy(masks).float(),
            torch.from_numpy(elsewhere),
            torch.from_numpy(present),
        )


def step_loss(
    model: PromptableModel, batch: _Batch, rng: np.random.Generator, corrections: float
) -> tuple[Tensor, dict[str, float]]:
    """One prompt per object, in a share of the batches up to five corrections as well; the loss, and what to log.

    The loss is the mean of the first answer's and the last one's; the corrections between them have no gradient.
    """
    embedding = model.encode(batch.images)[batch.owner]
    prompts = Prompts(batch.points, batch.labels)
    decoded = model.decode(embedding, prompts)
    small = F.interpolate(batch.targets[:, None], size=decoded.logits.shape[-2:], mode="area")[:, 0]
    loss, log = _object_losses(decoded, batch.targets, small, batch.present)
    rounds = int(rng.choice(ROUNDS)) if rng.random() < corrections else 0
    for left in reversed(range(rounds)):
        fed_back = rng.random() < 0.75
        prompts = correct(prompts, decoded.logits[:, 0].detach(), small, rng, model.image_size, fed_back)
        with torch.set_grad_enabled(left == 0 and torch.is_grad_enabled()):
            decoded = model.decode(embedding, prompts)
    if rounds:
        last, more = _object_losses(decoded, batch.targets, small, batch.present)
        loss, log = (loss + last) / 2, log | {"iou_corrected": more["iou"]}
    return loss, log | {"iou_click" if (batch.labels == TOP_LEFT).sum() == 0 else "iou_box": log["iou"]}


def _object_losses(
    decoded: Decoded, target: Float[Tensor, "n s s"], small: Float[Tensor, "n h w"], present: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """Token 0 is taught on every prompt, the best of tokens 1 to 3 too; IoU head by L1, object score by BCE."""
    count, tokens = decoded.logits.shape[:2]
    there = present.float()
    side = target.shape[-1] // 2
    fine = F.interpolate(decoded.logits[:, :1], size=(side, side), mode="bilinear", align_corners=False)[:, 0]
    single = mask_loss(fine, F.avg_pool2d(target[:, None], 2)[:, 0])
    each = mask_loss(decoded.logits[:, 1:].flatten(0, 1), small.repeat_interleave(tokens - 1, 0)).view(count, -1)
    several = each.min(1).values + 0.02 * each.mean(1)
    reached = iou_of_logits(decoded.logits.flatten(0, 1), small.repeat_interleave(tokens, 0)).view(count, tokens)
    quality = (decoded.scores - reached).abs().mean(1)
    seen = F.binary_cross_entropy_with_logits(decoded.known_object_logit, there)
    loss = ((single + several + quality) * there).sum() / there.sum().clamp(min=1) + seen
    return loss, {"loss": float(loss.detach()), "iou": float((reached[:, 0] * there).sum() / there.sum())}
