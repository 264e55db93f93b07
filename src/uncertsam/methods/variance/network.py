"""The variance network of the paper's App. E: log-variances from what SAM's mask decoder knows after its transformer.

It has the shape of SAM's own mask read-out, features times weights: the image after the transformer is upscaled four
times (without the encoder's fine skips), and a small network per mask token gives the weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.models.promptable import Decoded, PromptableModel
from uncertsam.training.fitted import FittedPart, Weights

PART = FittedPart("uncertsam variance network, version 1", "Run the train_variance stage again.", {"width": int})
BEST, LAST = "best.safetensors", "last.safetensors"
LEAST, MOST = -5.0, 5.0  # log-variances are clamped, in the loss as in the answer
TOKENS = 4

Tokens = Literal[0, "all"]


class VarianceNetwork(nn.Module):
    """For a decoder of any width c. At SAM 2's 256 the upscaling has 166,112 parameters, each token's network 139,808.

    tokens: how many mask tokens have a network of their own, counted from token 0.
    """

    def __init__(self, width: int, tokens: int) -> None:
        from sam2.modeling.sam2_utils import MLP, LayerNorm2d

        super().__init__()
        self.upscaling = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(width, width // 4, 3, padding=1),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(width // 4, width // 8, 3, padding=1),
            nn.GELU(),
        )
        self.hypernetworks = nn.ModuleList(MLP(width, width, width // 8, 3) for _ in range(tokens))

    def forward(self, source: Float[Tensor, "n c h w"], tokens: Float[Tensor, "n t c"]) -> Float[Tensor, "n k hh ww"]:
        """Log-variances in [-5, 5] of the first k tokens' masks, at four times the resolution of `source`."""
        features = self.upscaling(source)
        weights = torch.stack([network(tokens[:, i]) for i, network in enumerate(self.hypernetworks)], 1)
        found = weights @ features.flatten(2)
        return found.unflatten(2, features.shape[2:]).clamp(LEAST, MOST)


def build_network(model: PromptableModel, token: Tokens, seed: int) -> VarianceNetwork:
    """A fresh network on the model's device. Linear layers: Kaiming normal (fan out), no bias; others PyTorch's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # modules draw from torch's own generator
        network = VarianceNetwork(model.width, 1 if token == 0 else TOKENS)
        for layer in network.hypernetworks.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)
    return network.to(model.device).eval()


def log_variances(network: VarianceNetwork, decoded: Decoded) -> Float[Tensor, "n k h w"]:
    """Those of the first k tokens' masks, float32, at the masks' resolution."""
    found: Tensor = network(decoded.source, decoded.tokens)
    return found.float()


def save(
    folder: Path,
    model: PromptableModel,
    best: Weights,
    last: Weights,
    params: Mapping[str, Any],
    data: Mapping[str, str],
) -> None:
    """Write `folder`, whole or not at all. params: of the training. data: what it was trained on, name -> hash."""
    facts = {"width": model.width, "params": dict(params), "data": dict(data)}
    PART.save(folder, model.name, model.digest, {BEST: best, LAST: last}, facts)


def load(folder: Path | None, model: PromptableModel) -> VarianceNetwork:
    """Read the best weights. Raises UserError where they are missing, broken, changed, or of another model."""
    saved = PART.open(folder, model)
    network = build_network(model, saved.manifest["params"].get("token"), seed=0)
    network.load_state_dict(saved.weights(BEST, network.state_dict()))
    return network.requires_grad_(False)
