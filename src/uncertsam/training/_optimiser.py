"""AdamW with weight decay on what multiplies features, and on nothing else."""

import torch
from torch import nn


def build_optimiser(module: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Parameters of one dimension (biases, scales of normalisations) are not decayed.

    The authors' code tests names for "bias" and "LayerNorm" instead, which misses the scales of its LayerNorm2d.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate)
