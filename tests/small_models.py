"""A small random model for tests."""

import torch

from uncertsam.sam.model import PromptableModel
from uncertsam.sam.nano import NanoSam


def random_nano() -> PromptableModel:
    """Random weights; the last layer is made larger, so that logits reach some tens, as a trained model's do."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = NanoSam().eval().requires_grad_(False)
        for mlp in network.sam_mask_decoder.output_hypernetworks_mlps:
            torch.nn.init.normal_(mlp.layers[-1].weight, std=3.0)
        torch.nn.init.constant_(network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias, 5.0)
    return PromptableModel(network, "random_nano", "0" * 64)
