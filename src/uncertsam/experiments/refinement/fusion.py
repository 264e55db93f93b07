"""Dense embedding fusion (paper App. D): mask and uncertainty become the dense prompt of a second pass.

The mask passes through SAM's own, frozen mask encoder, the uncertainty through a branch of the same shape; a 1x1
convolution fuses the two. Only branch and convolution are trained.
"""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.models.promptable import PromptableModel

Init = Literal["faithful", "identity", "mask_prompt"]
HIDDEN = (4, 16)  # channels within the uncertainty branch


class Fusion(nn.Module):
    """The trained part, for a model of any width c; 136,012 parameters at SAM 2's 256."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = _branch(width)
        self.mix = nn.Conv2d(2 * width, width, 1)

    def forward(
        self, mask: Float[Tensor, "n c h w"], uncertainty: Float[Tensor, "n 1 H W"]
    ) -> Float[Tensor, "n c h w"]:
        """The dense embedding. mask: as SAM's mask encoder gives it. uncertainty: H = 4 h, W = 4 w."""
        dense: Tensor = self.mix(torch.cat([mask, self.branch(uncertainty)], 1))
        return dense


def build_fusion(model: PromptableModel, init: Init, seed: int) -> Fusion:
    """A fusion module for this model, on its device, in evaluation mode.

    init: how training begins.
    faithful: PyTorch's defaults, as in the authors' code: a random 1x1 convolution destroys the mask embedding.
    identity: the convolution's weights are 0 and its bias is SAM's "no mask" vector, so that the second pass is given
    exactly what the first was given: the refined logits are the unrefined ones. (A mask prompt would not do: SAM 2
    answers its own mask with another one.)
    mask_prompt: [I, 0], SAM given the first answer as an ordinary mask prompt.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # modules draw from torch's own generator
        fusion = Fusion(width_of(model))
    mix = fusion.mix
    assert mix.bias is not None
    with torch.no_grad():
        if init == "identity":
            mix.weight.zero_()
            mix.bias.copy_(_prompt_encoder(model).no_mask_embed.weight[0])
        if init == "mask_prompt":
            mix.weight.copy_(torch.eye(*mix.weight.shape[:2])[:, :, None, None])
            mix.bias.zero_()
    return fusion.to(model.device).eval()


def width_of(model: PromptableModel) -> int:
    """Channels of the model's dense embedding."""
    return int(_prompt_encoder(model).embed_dim)


def fuse(
    model: PromptableModel, fusion: Fusion, logits: Float[Tensor, "n H W"], uncertainty: Float[Tensor, "n H W"]
) -> Float[Tensor, "n c h w"]:
    """First-pass logits and uncertainty, both at the decoder's resolution, as a dense embedding."""
    with torch.no_grad():
        mask = _prompt_encoder(model).mask_downscaling(logits[:, None])
    return fusion(mask, uncertainty[:, None])


def _branch(width: int) -> nn.Sequential:
    from sam2.modeling.sam2_utils import LayerNorm2d

    first, second = HIDDEN
    return nn.Sequential(
        nn.Conv2d(1, first, 2, 2),
        LayerNorm2d(first),
        nn.GELU(),
        nn.Conv2d(first, second, 2, 2),
        LayerNorm2d(second),
        nn.GELU(),
        nn.Conv2d(second, width, 1),
    )


def _prompt_encoder(model: PromptableModel) -> Any:
    return model.network.sam_prompt_encoder
