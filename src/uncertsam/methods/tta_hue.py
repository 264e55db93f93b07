"""Test-time augmentation by hue: N re-encoded pictures, none of them unchanged.

Paper Table 4, "TTA (Hue)". U is the entropy of the mean probability.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor

from uncertsam.inference.augment import Jitter, Picture, Symmetry, jittered
from uncertsam.inference.ensemble import ViewParams, Views
from uncertsam.models.geometry import Geometry
from uncertsam.models.promptable import PromptableModel

FITTED: str | None = None


class Params(ViewParams, frozen=True):
    """members: N. hue: the largest shift, in turns of the colour circle. Defaults: the paper's."""

    members: PositiveInt = 10
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.5


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Views:
    """Nothing is fitted."""
    return Views("tta_hue", partial(view, Jitter(hue=params.hue)), [Symmetry()] * params.members, params)


def view(jitter: Jitter, image: Picture, geometry: Geometry, generator: torch.Generator) -> Float[Tensor, "3 s s"]:
    """A random member's picture as the model's input: hue changes before the resize, as in the paper's code."""
    return geometry.to_input(jittered(image, jitter, generator))
