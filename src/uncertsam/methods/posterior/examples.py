"""What the posterior is fitted on: one random prompt per image of a split (paper App. E)."""

from collections.abc import Iterator

import torch

from uncertsam.base.rng import torch_generator
from uncertsam.config.training import FitLaplace
from uncertsam.data.format import Split
from uncertsam.methods.posterior.fit import Example, draw_example
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.store import Embeddings


def read_examples(
    model: PromptableModel, store: Embeddings, split: Split, params: FitLaplace, seed: int, dataset: str
) -> Iterator[Example]:
    """Image by image, each from a generator that knows (seed, dataset, image) and nothing of the order."""
    for image in split:
        masks = torch.from_numpy(split.masks(image.id))
        generator = torch_generator(seed, dataset, image.id, "fit_laplace")
        prompts, chosen = draw_example(masks, model.geometry, params, generator)
        yield store.read(split, image.id), prompts.to(model.device), chosen.to(model.device)
