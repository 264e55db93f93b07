"""Small models for tests, and when two answers of a model are the same."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from uncertsam.models.geometry import Geometry
from uncertsam.models.nano import NanoSam
from uncertsam.models.promptable import Decoded, Embedding, MaskHead, PromptableModel, contract
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


class PaddingModel(PromptableModel):
    """What SAM 2 is not: it pads, has two heads of different sizes and no object logit. Nothing is learnt.

    Its mask is the ellipse in the prompt's box, plus a little of the picture's brightness: the first head's features
    are 1, x, y, x^2 and y^2, so that its hidden vector holds the ellipse's coefficients.
    """

    name, digest, weights, device, width = "padding", "5" * 64, None, torch.device("cpu"), 3
    geometry = Geometry(64, 16, pads=True)
    no_mask = torch.tensor([0.25, 0.0, 0.0])

    def __init__(self):
        ellipse, bright = torch.nn.Linear(5, 5), torch.nn.Linear(2, 1)
        with torch.no_grad():
            ellipse.weight.copy_(torch.eye(5))
            ellipse.bias.zero_()
            bright.weight.fill_(0.01)
        self.layers = tuple(layer.requires_grad_(False) for layer in (ellipse, bright))

    @property
    def last_layers(self):
        return self.layers

    def encode(self, images):
        return Embedding((F.avg_pool2d(images.float(), 16),))

    def decode(self, embedding, prompts, dense=None):
        own = self.no_mask[:, None, None] if prompts.masks is None else self.mask_embedding(prompts.masks[:, 0])
        source = (embedding.maps[0] + (own if dense is None else dense)).expand(len(prompts), -1, -1, -1)
        hidden = self._coefficients(prompts)[:, None].expand(-1, 4, -1), torch.ones(len(prompts), 4, 2)
        heads = tuple(
            MaskHead([layer.weight] * 4, [layer.bias] * 4, h, features)
            for layer, h, features in zip(self.last_layers, hidden, self._features(source), strict=True)
        )
        outputs = [torch.stack([head.output(token) for token in range(4)], 1) for head in heads]
        logits = contract(outputs, [head.features for head in heads])
        tokens = source.mean((2, 3))[:, None].expand(-1, 4, -1)
        return Decoded(logits, torch.full((len(prompts), 4), 0.5), None, tokens, tokens[:, 0], source, heads)

    def mask_embedding(self, logits):
        return F.avg_pool2d(logits[:, None], 4).sigmoid() * torch.ones(3, 1, 1)

    @staticmethod
    def _features(source):
        at = (torch.arange(16) + 0.5) * 4 - 0.5  # centres of the cells, in pixels of the input
        y, x = torch.meshgrid(at, at, indexing="ij")
        grid = torch.stack([torch.ones(16, 16), x, y, x.square(), y.square()])
        return grid.expand(len(source), -1, -1, -1), F.interpolate(source.mean(1, keepdim=True), (16, 16))

    @staticmethod
    def _coefficients(prompts):
        """Of 4 (1 - ((x - u) / a)^2 - ((y - v) / b)^2), by powers of x and y."""
        (u, v), (a, b) = prompts.points[:, :2].mean(1).T, ((prompts.points[:, 1] - prompts.points[:, 0] + 1) / 2).T
        ones = 1 - (u / a).square() - (v / b).square()
        return 4 * torch.stack([ones, 2 * u / a**2, 2 * v / b**2, -1 / a**2, -1 / b**2], 1)

    def freeze(self):
        """Nothing asks for a gradient anyway."""
