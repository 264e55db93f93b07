"""USAM's heads: perceptrons that read expected IoUs and gains off a mask's tokens (section 3.2).

The latent of a mask is [IoU token | mask token], after the decoder's transformer. Each head is linear, ReLU, linear,
ReLU, linear, sigmoid; all of them are computed side by side, one batched product per layer, and always in float32:
bfloat16 leaves some ten distinct values near 1/2.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.base.errors import UserError
from uncertsam.base.rng import torch_generator
from uncertsam.models.promptable import PromptableModel
from uncertsam.training.fitted import FittedPart, Weights

Offset = Literal[0, 1]  # mask k is paired with mask token k + offset; 1 is right, 0 is what the published heads learned
FILE = "heads.safetensors"
PART = FittedPart(
    "uncertsam usam heads, version 1",
    "Train them again: the train_usam stage.",
    {"names": list, "width": int, "offset": int, "protocol": str},
)


def head_names(sizes: Sequence[str], protocol: str) -> tuple[str, ...]:
    """The M + 5 heads for models of M sizes, the smallest first.

    The paper's protocol predicts the IoU of the best of three masks, and of the one that SAM would choose
    ("iou_unsupervised"). A deployed system has the latter everywhere; the best mask has a head of its own instead.
    """
    other = "iou_unsupervised" if protocol == "paper" else "iou_best_mask"
    return *(f"iou_{size}" for size in sizes), "iou_dense_prompt", other, "model_gap", "prompt_gap", "task_gap"


class Heads(nn.Module):
    """names: of the heads; those of gains end in "gap". width: of the latent, and of what is between the layers.

    offset: the pairing of masks and tokens that the heads were trained with.
    """

    def __init__(self, names: Sequence[str], width: int, offset: Offset = 1) -> None:
        super().__init__()
        self.names, self.width, self.offset = tuple(names), width, offset
        for layer, outputs in enumerate((width, width, 1)):
            self.register_parameter(f"weight{layer}", nn.Parameter(torch.zeros(len(names), width, outputs)))
            self.register_parameter(f"bias{layer}", nn.Parameter(torch.zeros(len(names), 1, outputs)))
        gaps = torch.tensor([name.endswith("gap") for name in names])
        self.register_buffer("shift", torch.where(gaps, 0.5, 0.0), persistent=False)
        self.shift: Tensor

    def draw(self, seed: int) -> "Heads":
        """Set all weights as PyTorch's linear layers draw them, uniform in +-1 / sqrt(inputs); by (seed, name)."""
        for head, name in enumerate(self.names):
            generator = torch_generator(seed, "usam", name)
            for parameter in self.parameters():
                nn.init.uniform_(parameter.data[head], -(self.width**-0.5), self.width**-0.5, generator=generator)
        return self

    def forward(self, latents: Float[Tensor, "n width"]) -> Float[Tensor, "n heads"]:
        """Expected IoUs in (0, 1), and expected gains plus 1/2 in (0, 1): what the training compares with targets."""
        with torch.autocast(latents.device.type, enabled=False):
            x = latents.float().expand(len(self.names), -1, -1)
            for layer in range(3):
                x = torch.baddbmm(getattr(self, f"bias{layer}"), x if layer == 0 else x.relu(), self._weight(layer))
            return x.sigmoid()[..., 0].T

    def _weight(self, layer: int) -> Float[Tensor, "heads inputs outputs"]:
        return getattr(self, f"weight{layer}")

    @torch.inference_mode()
    def read(self, latents: Float[Tensor, "n width"]) -> dict[str, Float[Tensor, " n"]]:
        """Expected IoU in (0, 1) or gain in (-1/2, 1/2) by the name of the head."""
        return dict(zip(self.names, (self(latents) - self.shift).unbind(1), strict=True))


def latents_of(
    iou_token: Float[Tensor, "*n d"], mask_tokens: Float[Tensor, "*n t d"], mask: Tensor, offset: Offset
) -> Float[Tensor, "*n width"]:
    """[IoU token | mask token] of one of the masks that the model returns: those of all tokens but the first."""
    chosen = torch.take_along_dim(mask_tokens, (mask + offset)[..., None, None], -2)[..., 0, :]
    return torch.cat([iou_token, chosen], -1).float()


def save(folder: Path, heads: Heads, model: PromptableModel, protocol: str, facts: dict[str, Any]) -> None:
    """Write `folder`, whole or not at all. model: whose tokens they read. facts: "params" and what else is known."""
    about = {"names": list(heads.names), "width": heads.width, "offset": heads.offset, "protocol": protocol}
    PART.save(folder, model.name, model.digest, {FILE: heads.state_dict()}, {**facts, **about})


def load(folder: Path | None, model: PromptableModel) -> Heads:
    """What `save` wrote. Raises UserError where it is missing, broken, or of another model."""
    saved = PART.open(folder, model)
    names, width, offset = (saved.manifest[name] for name in ("names", "width", "offset"))
    if offset not in (0, 1):
        raise UserError(f"{folder}: offset is {offset}, not 0 or 1.", PART.again)
    heads = Heads(names, width, offset)
    like: Weights = heads.state_dict()
    heads.load_state_dict(saved.weights(FILE, like))
    return heads.to(model.device).requires_grad_(False).eval()
