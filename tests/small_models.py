"""A small random model for tests, and when two answers of a model are the same."""

from typing import Any

import numpy as np
import torch

from uncertsam.models.nano import NanoSam
from uncertsam.models.sam2 import Sam2Model


def random_nano() -> Sam2Model:
    """Random weights; the last layer is made larger, so that logits reach some tens, as a trained model's do."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = NanoSam().eval().requires_grad_(False)
        for mlp in network.sam_mask_decoder.output_hypernetworks_mlps:
            torch.nn.init.normal_(mlp.layers[-1].weight, std=3.0)
        torch.nn.init.constant_(network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias, 5.0)
    return Sam2Model(network, "random_nano", "0" * 64)


def same_pass(found: Any, expected: Any) -> bool:
    """Do two passes through a network agree, but for the last bits of a logit (up to 16 here, some tens at most)?

    Not to the bit: a matrix product or convolution chooses its kernel, and so its order of adding up, by how the memory
    is aligned and by the processor. Equal bits are asked of copies, of random numbers and of single operations only.
    """
    one, other = np.asarray(found), np.asarray(expected)
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-5, atol=1e-4)
