"""Test-time augmentation with the colour changes of SAM 2's training: N re-encoded pictures, none of them unchanged.

Paper Table 4, "TTA (Train)": resize, jitter, perhaps grey, jitter. U is the entropy of the mean probability.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor

from uncertsam.sam.model import PromptableModel
from uncertsam.sam.transforms import to_input
from uncertsam.uncertainty.core.augment import Jitter, Picture, Symmetry, jittered, maybe_grey, squared
from uncertsam.uncertainty.core.ensemble import ViewParams, Views

FITTED: str | None = None


class Params(ViewParams, frozen=True):
    """members: N. jitter, then grey with probability `greyscale`, then second_jitter. Defaults: the paper's."""

    members: PositiveInt = 10
    jitter: Jitter = Jitter(brightness=0.1, contrast=0.03, saturation=0.03)
    greyscale: Annotated[float, Field(ge=0, le=1)] = 0.05
    second_jitter: Jitter = Jitter(brightness=0.1, contrast=0.05, saturation=0.05)


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Views:
    """Nothing is fitted."""
    return Views("tta_train", partial(view, params), [Symmetry()] * params.members, params)


def view(params: Params, image: Picture, size: int, generator: torch.Generator) -> Float[Tensor, "3 s s"]:
    """A random member's picture as the model's input: colours change after the resize, as in training."""
    first = jittered(squared(image, size), params.jitter, generator)
    grey = maybe_grey(first, params.greyscale, generator)
    return to_input(jittered(grey, params.second_jitter, generator), size)
