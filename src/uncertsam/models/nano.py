"""The embedded models: SAM 2's prompt encoder and mask decoder behind a small convolutional trunk.

The decoder's modules are sam2's own; only the trunk is not. It replaces Hiera because it learns about four times as
fast per second on a CPU. The attribute names are those of `sam2.modeling.sam2_base.SAM2Base`, so that one wrapper
drives both.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.mask_decoder import MaskDecoder
from sam2.modeling.sam.prompt_encoder import PromptEncoder
from sam2.modeling.sam.transformer import TwoWayTransformer
from torch import Tensor, nn

from uncertsam.models.efficientnet import EfficientNetLite0

IMAGE_SIZE = 256  # side of the square input, pixels
WIDTH = 128  # channels of the transformer
STRIDE = 16  # pixels per cell of the image embedding


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    """Two 3x3 convolutions around a skip; the identity at the start of training."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return torch.relu(x + self.norm(self.second(self.first(x))))


class _ConvTrunk(nn.Module):
    """Image to four maps at strides 4, 8, 16 and 32; `channel_list` lists their widths, deepest first."""

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 192), depths: Sequence[int] = (1, 1, 2, 2)) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 24, 2), _conv(24, widths[0], 2))
        before = (0, *widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(*([_conv(i, o, 2)] if i else []), *(_Residual(o) for _ in range(n)))
            for i, o, n in zip(before, widths, depths, strict=True)
        )
        self.channel_list = list(widths[::-1])

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        x, maps = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


# name in a manifest -> gives maps at strides 4, 8, 16 and 32 and lists their widths in `channel_list`
TRUNKS: dict[str, type[nn.Module]] = {"conv": _ConvTrunk, "efficientnet_lite0": EfficientNetLite0}


class NanoSam(nn.Module):
    """A SAM-2-shaped network of under 6 M parameters; logits come at a quarter of its input's side.

    trunk: one of `TRUNKS`. image_size: a multiple of 32; prompts are coordinates in [0, 1] inside, so the weights fit
    every size.
    """

    directly_add_no_mem_embed = False  # there is no video memory to leave out

    def __init__(self, trunk: str = "conv", image_size: int = IMAGE_SIZE) -> None:
        super().__init__()
        self.trunk, self.image_size, cells = trunk, image_size, image_size // STRIDE
        self.image_encoder = _image_encoder(TRUNKS[trunk]())
        self.sam_prompt_encoder = PromptEncoder(
            embed_dim=WIDTH,
            image_embedding_size=(cells, cells),
            input_image_size=(image_size, image_size),
            mask_in_chans=16,
        )
        self.sam_mask_decoder = _mask_decoder()
        if trunk == "efficientnet_lite0":
            self.image_encoder.to(memory_format=torch.channels_last)

    def forward_image(self, image: Float[Tensor, "b 3 s s"]) -> dict[str, list[Tensor]]:
        """The three feature maps as `SAM2Base.forward_image` returns them: finest first, two already projected."""
        maps = self.image_encoder(image)["backbone_fpn"]
        decoder = self.sam_mask_decoder
        return {"backbone_fpn": [decoder.conv_s0(maps[0]), decoder.conv_s1(maps[1]), maps[2]]}


def _image_encoder(trunk: nn.Module) -> ImageEncoder:
    neck = FpnNeck(
        position_encoding=PositionEmbeddingSine(num_pos_feats=WIDTH),
        d_model=WIDTH,
        backbone_channel_list=trunk.channel_list,
        fpn_top_down_levels=[2, 3],
        fpn_interp_model="nearest",
    )
    return ImageEncoder(trunk, neck, scalp=1)


def _mask_decoder() -> MaskDecoder:
    """The decoder with SAM 2.1's image settings: fine skips, sigmoid IoU, object score, stability 0.05/0.98."""
    return MaskDecoder(
        num_multimask_outputs=3,
        transformer_dim=WIDTH,
        iou_head_depth=3,
        iou_head_hidden_dim=WIDTH,
        transformer=TwoWayTransformer(depth=2, embedding_dim=WIDTH, mlp_dim=512, num_heads=8),
        use_high_res_features=True,
        iou_prediction_use_sigmoid=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        use_multimask_token_for_obj_ptr=True,
        dynamic_multimask_via_stability=True,
        dynamic_multimask_stability_delta=0.05,
        dynamic_multimask_stability_thresh=0.98,
    )
