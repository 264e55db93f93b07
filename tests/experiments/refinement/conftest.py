"""A small random model, one image of objects, and a posterior for the Laplace arms."""

from collections.abc import Callable

import pytest
import torch
from small_models import random_nano
from torch import Tensor

from uncertsam.base.rng import torch_generator
from uncertsam.inference.algebra import Inputs
from uncertsam.models.promptable import Embedding, PromptableModel
from uncertsam.models.prompts import box_of_mask, from_boxes
from uncertsam.models.select import TokenPolicy


@pytest.fixture(scope="session")
def model() -> PromptableModel:
    return random_nano()


@pytest.fixture(scope="session")
def embedding(model: PromptableModel) -> Embedding:
    with torch.no_grad():
        return model.encode(torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(1)))


@pytest.fixture(scope="session")
def masks() -> Tensor:
    """Three discs."""
    y, x = torch.meshgrid(torch.arange(96), torch.arange(120), indexing="ij")
    return torch.stack([(y - 40) ** 2 + (x - 60) ** 2 < r**2 for r in (8, 16, 35)])


@pytest.fixture(scope="session")
def ask(model: PromptableModel, embedding: Embedding) -> Callable[[Tensor], Inputs]:
    """The boxes of masks, as asked of the one image."""

    def make(masks: Tensor) -> Inputs:
        boxes = model.geometry.boxes_to_grid(torch.stack([box_of_mask(m) for m in masks]), masks.shape[1:])
        return Inputs(model, embedding, from_boxes(boxes), lambda: None, lambda name: torch_generator(0, name))

    return make


@pytest.fixture
def policy() -> TokenPolicy:
    return TokenPolicy(token=0, gate=False)
