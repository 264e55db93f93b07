"""A small random model, an image that it has seen, and a posterior fitted on that."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_models import random_nano
from torch import Tensor

from uncertsam.base.rng import torch_generator
from uncertsam.config.training import FitLaplace
from uncertsam.inference.algebra import Inputs
from uncertsam.methods.joint.combination import SOURCES, Combination, CombinationParams
from uncertsam.methods.joint.combination import save as save_combination
from uncertsam.methods.posterior.fit import Example, draw_example, fit
from uncertsam.methods.posterior.state import LaplaceState, save
from uncertsam.methods.variance.network import build_network
from uncertsam.methods.variance.network import save as save_network
from uncertsam.models.promptable import Embedding
from uncertsam.models.prompts import Prompts, from_boxes
from uncertsam.models.sam2 import Sam2Model


@pytest.fixture(scope="session")
def model() -> Sam2Model:
    return random_nano()


@pytest.fixture(scope="session")
def embedding(model: Sam2Model) -> Embedding:
    image = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return model.encode(image)


@pytest.fixture(scope="session")
def inputs(model: Sam2Model, embedding: Embedding) -> Inputs:
    corners = torch.rand(5, 2, 2, generator=torch.Generator().manual_seed(2)) * 255
    boxes = torch.cat([corners.amin(1), corners.amax(1)], 1)
    picture = torch_generator(0, "picture")
    pixels = torch.randint(0, 256, (30, 40, 3), dtype=torch.uint8, generator=picture).numpy()
    return Inputs(model, embedding, from_boxes(boxes), lambda: pixels, lambda member: torch_generator(0, member))


@pytest.fixture(scope="session")
def masks() -> Tensor:
    """Three discs."""
    y, x = torch.meshgrid(torch.arange(96), torch.arange(120), indexing="ij")
    return torch.stack([(y - 40) ** 2 + (x - 60) ** 2 < r**2 for r in (8, 16, 35)])


@pytest.fixture(scope="session")
def examples(model: Sam2Model, embedding: Embedding, masks: Tensor) -> Callable[[FitLaplace], list[Example]]:
    """Four images' worth; the same on every call."""

    def make(params: FitLaplace) -> list[Example]:
        drawn = [draw_example(masks, model.geometry, params, torch_generator(0, i)) for i in range(4)]
        return [(embedding, prompts, truth) for prompts, truth in drawn]

    return make


@pytest.fixture(scope="session")
def state(model: Sam2Model, examples: Callable[[FitLaplace], list[Example]]) -> LaplaceState:
    params = FitLaplace(likelihood="softmax_pixels", prior_precision=0.5)
    return fit(model, examples(params), params)


@pytest.fixture(scope="session")
def fitted(state: LaplaceState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "laplace"
    save(state, folder, {"discs": "abc"})
    return folder


@pytest.fixture(scope="session")
def fitted_parts(model: Sam2Model, fitted: Path) -> Path:
    """A folder with every part that a method may read: posterior, an untrained variance network, a combination."""
    network = build_network(model, "all", seed=5).state_dict()
    save_network(fitted.parent / "variance", model, network, network, {"token": "all"}, {"discs": "abc"})
    params = CombinationParams(dataset="discs")
    combination = Combination(0.01, (0.1,) * len(SOURCES), model.name, model.digest, 5, params)
    save_combination(combination, fitted.parent / "combination", fitted, {"discs": "abc"})
    return fitted.parent


@pytest.fixture(scope="session")
def reordered(inputs: Inputs) -> Callable[[list[int]], Inputs]:
    """The same image, asked about some of its objects in some order."""
    points, labels = inputs.prompts.points, inputs.prompts.labels
    return lambda order: replace(inputs, prompts=Prompts(points[order], labels[order]))
