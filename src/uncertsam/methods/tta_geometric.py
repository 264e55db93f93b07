"""Test-time augmentation by symmetries of the square: flips that are undone exactly, so only the model can differ.

The paper's text names flips among its augmentations; its Table 4 and code have none: hence a method of its
own. Of the other geometric changes only turns by right angles are exact; resizes are not, and are left out.
U is the entropy of the mean probability.
"""

from pathlib import Path
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from uncertsam.inference.augment import Picture, Symmetry
from uncertsam.inference.ensemble import ViewParams, Views
from uncertsam.models.geometry import Geometry
from uncertsam.models.promptable import PromptableModel

FITTED: str | None = None

Name = Literal[
    "identity", "horizontal", "vertical", "rotate_90", "rotate_180", "rotate_270", "transpose", "anti_transpose"
]
SYMMETRIES: dict[str, Symmetry] = {
    "identity": Symmetry(),
    "horizontal": Symmetry(horizontal=True),
    "vertical": Symmetry(vertical=True),
    "rotate_90": Symmetry(transpose=True, vertical=True),  # anticlockwise
    "rotate_180": Symmetry(horizontal=True, vertical=True),
    "rotate_270": Symmetry(transpose=True, horizontal=True),
    "transpose": Symmetry(transpose=True),
    "anti_transpose": Symmetry(transpose=True, horizontal=True, vertical=True),
}


class Params(ViewParams, frozen=True):
    """symmetries: the members. rotate_180 is both flips; a name given twice counts twice."""

    symmetries: Annotated[tuple[Name, ...], Field(min_length=1)] = ("identity", "horizontal", "vertical", "rotate_180")


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Views:
    """Nothing is fitted, nothing is drawn."""
    return Views("tta_geometric", _view, [SYMMETRIES[name] for name in params.symmetries], params)


def _view(image: Picture, geometry: Geometry, generator: torch.Generator) -> Float[Tensor, "3 s s"]:
    """The plain input."""
    return geometry.to_input(image)
