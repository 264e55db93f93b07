"""Second passes: the first answer and its uncertainty, fused, are the dense prompt of another look (paper App. D).

The sparse prompts stay. A third pass is told of the second what the second was told of the first: its raw logits, and
their own entropy (or ones). What is reported is the answer of a pass, with its own entropy as U.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from uncertsam.config.arms import Map
from uncertsam.experiments.refinement.first_pass import FirstPass, uncertainty_map
from uncertsam.experiments.refinement.fusion import Fusion, fuse
from uncertsam.inference.algebra import TINY, Answer, Inputs, Masks, Plain, Samples, answer, joined, portions, read_off
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY
from uncertsam.models.geometry import Geometry
from uncertsam.models.promptable import Decoded
from uncertsam.models.select import TokenPolicy, select


@dataclass(frozen=True)
class Refiner:
    """One arm, trained. first: whose logits are refined. map: what is told beside them. policy: of each later pass."""

    first: FirstPass
    map: Map
    fusion: Fusion
    policy: TokenPolicy

    def passes(self, inputs: Inputs, steps: int) -> Iterator[Answer]:
        """The answers of passes 2 to `steps` + 1 about objects that fit in memory together."""
        logits = self.first(inputs)
        for _ in range(steps):
            decoded = second_pass(self.fusion, self.map, inputs, logits)
            chosen = select(decoded, self.policy)
            logits = chosen.logits
            yield read_off(_sure(logits, chosen.iou, decoded.known_object_logit), PREDICTIVE_ENTROPY)


def second_pass(fusion: Fusion, kind: Map, inputs: Inputs, logits: Masks) -> Decoded:
    """The decoder told of `logits` [n, h, w], the raw ones of an earlier pass, and of their uncertainty."""
    dense = fuse(inputs.model, fusion, logits, uncertainty_map(kind, logits))
    return inputs.model.decode(inputs.embedding, inputs.prompts, dense)


@torch.inference_mode()
def refine(refiner: Refiner, inputs: Inputs, steps: int, objects: int | None = None) -> list[Answer]:
    """The answers after 1 to `steps` refinements, `objects` objects at a time, which bounds memory (as in `answer`)."""
    with torch.autocast(inputs.model.device.type, enabled=False):
        parts = [list(refiner.passes(portion, steps)) for portion in portions(inputs, objects)]
    return [joined(step) for step in zip(*parts, strict=True)]


def truth_as_prompt(inputs: Inputs, masks: Bool[Tensor, "n h w"], policy: TokenPolicy) -> Answer:
    """The bound: SAM with the true mask as its mask prompt beside the box, through its own prompt encoder.

    No fusion module is in it, so it bounds what a better mask prompt could give, not what fusion could.
    """
    model = inputs.model
    prompts = replace(inputs.prompts, masks=truth_logits(masks, model.geometry)[:, None].to(model.device))
    return answer(Plain(policy, PREDICTIVE_ENTROPY), replace(inputs, prompts=prompts))


def truth_logits(masks: Bool[Tensor, "n h w"], geometry: Geometry) -> Float[Tensor, "n s s"]:
    """Masks as low-resolution logits: +-16.12 (P = 1 - 1e-7) at the model's input size, shrunk to s = `mask_size`.

    Bilinear with antialiasing, as in the authors' code.
    """
    target = geometry.masks_to_input(masks)
    most = torch.logit(torch.tensor(1 - TINY, dtype=torch.float64)).float()
    low = (geometry.mask_size, geometry.mask_size)
    logits = (2 * target - 1) * most
    return F.interpolate(logits[:, None], low, mode="bilinear", align_corners=False, antialias=True)[:, 0]


def _sure(logits: Masks, iou: Float[Tensor, " n"], object_logit: Float[Tensor, " n"]) -> Samples:
    return Samples(lambda: [logits[None]], iou, object_logit)
