"""What is timed: a model with random weights, one made-up picture with objects on it, and all that is fitted.

Weights do not change how long anything takes. The last layers are made larger than a fresh network's, so that logits
spread as a trained model's do and a wrong result cannot hide in values near 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8

from uncertsam.base.rng import numpy_generator, torch_generator
from uncertsam.config.training import FitLaplace
from uncertsam.inference.algebra import Inputs, Method
from uncertsam.methods import (
    boundary_distance,
    constant,
    laplace,
    laplace_closed,
    prompt,
    sam,
    tta_train,
)
from uncertsam.methods.posterior.fit import draw_example, fit
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.methods.variance import VarianceMethod
from uncertsam.methods.variance.network import build_network as variance_network
from uncertsam.metrics.region import TruthSide
from uncertsam.models.checkpoints import build_network
from uncertsam.models.layout import Layout
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.prompts import box_of_mask, to_prompts
from uncertsam.models.sam2 import Sam2Model
from uncertsam.models.select import TokenPolicy
from uncertsam.models.store import encode

MEMBERS, SAMPLES = 10, 1000  # of the ensembles, of Laplace
FIT = FitLaplace.model_validate({"objects": "all"})  # curvature on 128x128, as in the paper
ONE_MASK: Any = {"token": 0, "gate": False}

Picture = UInt8[np.ndarray, "h w 3"]
Maps = tuple[np.ndarray, np.ndarray]  # logits and uncertainty of one mask


@dataclass(frozen=True)
class Setting:
    """One picture [size, size] and its objects; `masks` is the truth, one per object."""

    model: PromptableModel
    picture: Picture
    masks: Bool[np.ndarray, "n h w"]
    inputs: Inputs
    state: LaplaceState

    @property
    def encode(self) -> Callable[[], object]:
        """The encoder's pass over the picture, its resize included."""
        return lambda: encode(self.model, self.model.geometry.to_input(self.picture)[None], torch.float32)

    @cached_property
    def plain(self) -> Method:
        """The plain decode: SAM's single mask and the entropy of its probability."""
        return sam.build(sam.Params(**ONE_MASK), self.model, None)

    @cached_property
    def methods(self) -> dict[str, Method]:
        """Every method that looks at the picture once: neither test-time augmentation nor the combinations with it."""
        model = self.model
        return {
            "sam": self.plain,
            "prompt": prompts_moved(model, MEMBERS),
            "laplace": laplace.Laplace(self.state, SAMPLES, False),
            "laplace_closed": laplace_closed.LaplaceClosed(self.state, False),
            "variance": VarianceMethod(
                variance_network(model, 0, seed=0).requires_grad_(False), TokenPolicy(**ONE_MASK)
            ),
            "constant": constant.build(constant.Params(**ONE_MASK), model, None),
            "boundary_distance": boundary_distance.build(boundary_distance.Params(**ONE_MASK), model, None),
        }

    def asked(self, objects: int) -> "Setting":
        """The same about the first so many objects."""
        inputs = replace(self.inputs, prompts=self.inputs.prompts[:objects])
        return replace(self, inputs=inputs, masks=self.masks[:objects])


def prompts_moved(model: PromptableModel, members: int) -> Method:
    """Prompt perturbation with so many members."""
    return prompt.build(prompt.Params(token=0, gate=False, members=members), model, None)


def pictures_changed(model: PromptableModel, members: int) -> Method:
    """Test-time augmentation with so many members."""
    return tta_train.build(tta_train.Params(token=0, gate=False, members=members), model, None)


def set_up(name: str, size: int, objects: int, device: torch.device, seed: int) -> Setting:
    """Everything made from the seed. name: of the model."""
    model = random_model(name, device, seed)
    picture, masks = scene(size, objects, seed)
    boxes = torch.stack([box_of_mask(torch.from_numpy(mask)) for mask in masks])
    prompts = to_prompts(model.geometry, (size, size), boxes).to(device)
    embedding = encode(model, model.geometry.to_input(picture)[None], torch.float32)
    inputs = Inputs(model, embedding, prompts, lambda: picture, partial(torch_generator, seed, "benchmarks"))
    asked, chosen = draw_example(torch.from_numpy(masks), model.geometry, FIT, torch_generator(seed, "fit"))
    state = fit(model, [(embedding, asked.to(device), chosen.to(device))], FIT).to(device)
    return Setting(model, picture, masks, inputs, state)


def random_model(name: str, device: torch.device, seed: int) -> PromptableModel:
    """A named model whose weights were never trained."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(name).float().eval().requires_grad_(False)
        for mlp in network.sam_mask_decoder.output_hypernetworks_mlps:
            torch.nn.init.normal_(mlp.layers[-1].weight, std=3.0)
    return Sam2Model(network.to(device), name, "0" * 64)


def scene(size: int, objects: int, seed: int) -> tuple[Picture, Bool[np.ndarray, "n h w"]]:
    """Noise with discs of different colours on it, and the discs as masks."""
    rng = numpy_generator(seed, "scene", size)
    coarse = rng.integers(0, 256, (16, 16, 3), np.uint8)
    picture = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    y, x = np.ogrid[:size, :size]
    places = rng.uniform((0.2, 0.2, 0.06), (0.8, 0.8, 0.18), (objects, 3)) * size
    masks = np.stack([(y - row) ** 2 + (x - column) ** 2 <= radius**2 for row, column, radius in places])
    for mask in masks:
        picture[mask] = rng.integers(0, 256, 3, np.uint8)
    return picture, masks


def mask_and_maps(size: int, seed: int) -> tuple[TruthSide, Maps]:
    """A disc, and the maps of an answer that is off by a band at its boundary; as smooth as those of a decoder."""
    rng, low = numpy_generator(seed, "maps", size), max(16, size // 4)
    y, x = np.ogrid[:size, :size]
    truth = (y - 0.5 * size) ** 2 + (x - 0.45 * size) ** 2 <= (0.3 * size) ** 2
    rows, columns = np.mgrid[:low, :low] / low
    inward = 0.32 - np.hypot(rows - 0.5, columns - 0.47)
    logits = (60 * inward + rng.normal(0, 2, (low, low))).astype(np.float32)
    doubt = (np.exp(-20 * np.abs(inward)) + rng.gamma(1, 0.05, (low, low))).astype(np.float32)
    side = TruthSide.of(truth, np.zeros_like(truth))
    to_picture = Layout(size, low).to_picture
    return side, (to_picture(logits, (size, size)), to_picture(doubt, (size, size)))
