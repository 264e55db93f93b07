"""What ensembles change: the colours of a picture, the way it is laid out, the box of a prompt."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageEnhance
from pydantic import BaseModel, Field, NonNegativeFloat
from torch import Tensor

from uncertsam.models.prompts import BOTTOM_RIGHT, TOP_LEFT, Prompts

Picture = UInt8[np.ndarray, "h w 3"]
Boxes = Float[Tensor, "n 4"]


class Jitter(BaseModel, extra="forbid", frozen=True):
    """How far colours may move. Brightness, contrast and saturation x: a factor from U[max(0, 1 - x), 1 + x].

    hue x: a shift from U[-x, x], in turns of the colour circle. Zero leaves a property alone.
    """

    brightness: NonNegativeFloat = 0.0
    contrast: NonNegativeFloat = 0.0
    saturation: NonNegativeFloat = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0

    def draw(self, generator: torch.Generator) -> dict[str, float]:
        """Factors by the name of what they change, in the order in which to apply them: torchvision's very draws."""
        order = torch.randperm(4, generator=generator).tolist()
        names = ("brightness", "contrast", "saturation", "hue")
        drawn = {name: self._uniform(name, generator) for name in names if getattr(self, name)}
        return {names[i]: drawn[names[i]] for i in order if names[i] in drawn}

    def _uniform(self, name: str, generator: torch.Generator) -> float:
        reach = getattr(self, name)
        low, high = (-reach, reach) if name == "hue" else (max(0.0, 1 - reach), 1 + reach)
        return float(torch.empty(1).uniform_(low, high, generator=generator))


def jittered(image: Picture, jitter: Jitter, generator: torch.Generator) -> Picture:
    """One random change of colours, each step rounded to 8 bits, as torchvision's ColorJitter does it on PIL images."""
    picture = Image.fromarray(image)
    for name, factor in jitter.draw(generator).items():
        picture = COLOUR_CHANGES[name](picture, factor)
    return np.array(picture)


def maybe_grey(image: Picture, probability: float, generator: torch.Generator) -> Picture:
    """Grey (ITU-R 601) with this probability, else the image itself."""
    if not torch.rand(1, generator=generator) < probability:
        return image
    return np.array(Image.fromarray(image).convert("L").convert("RGB"))


def _turn_hue(picture: Image.Image, turns: float) -> Image.Image:
    """Hue shifted by -0.5 to 0.5 turns. Through 8-bit HSV: even a shift of 0 rounds the colours."""
    shift = int(turns * 255)
    hue, *rest = picture.convert("HSV").split()
    turned = hue.point([(i + shift) % 256 for i in range(256)])
    return Image.merge("HSV", (turned, *rest)).convert("RGB")


COLOUR_CHANGES: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "brightness": lambda picture, factor: ImageEnhance.Brightness(picture).enhance(factor),
    "contrast": lambda picture, factor: ImageEnhance.Contrast(picture).enhance(factor),
    "saturation": lambda picture, factor: ImageEnhance.Color(picture).enhance(factor),
    "hue": _turn_hue,
}


def move_boxes(prompts: Prompts, move: Callable[[Boxes], Boxes]) -> Prompts:
    """The prompts with each box replaced by `move`'s; clicks, padding and masks stay. At most one box per prompt."""
    points = prompts.points.clone()
    top_left = torch.nonzero(prompts.labels == TOP_LEFT, as_tuple=True)
    bottom_right = torch.nonzero(prompts.labels == BOTTOM_RIGHT, as_tuple=True)
    moved = move(torch.cat([points[top_left], points[bottom_right]], 1))
    points[top_left], points[bottom_right] = moved[:, :2], moved[:, 2:]
    return replace(prompts, points=points)


@dataclass(frozen=True)
class Symmetry:
    """One of the eight symmetries of a square: perhaps transposed, then perhaps flipped. It moves pixels, no values."""

    transpose: bool = False
    horizontal: bool = False
    vertical: bool = False

    def apply(self, maps: Float[Tensor, "*n s s"]) -> Float[Tensor, "*n s s"]:
        """Square pictures or masks, rows before columns, laid out anew."""
        return self._flip(maps.mT if self.transpose else maps)

    def undo(self, maps: Float[Tensor, "*n s s"]) -> Float[Tensor, "*n s s"]:
        """The exact inverse of `apply`."""
        back = self._flip(maps)
        return back.mT if self.transpose else back

    def prompts(self, prompts: Prompts, size: int) -> Prompts:
        """The prompts for a picture of `size` pixels that was changed by `apply`; boxes' corners stay in order."""
        points = prompts.points.flip(-1) if self.transpose else prompts.points
        mirrored = torch.tensor([self.horizontal, self.vertical], device=points.device)
        points = torch.where(mirrored, size - 1 - points, points)
        masks = None if prompts.masks is None else self.apply(prompts.masks)
        return move_boxes(replace(prompts, points=points, masks=masks), _ordered)

    def _flip(self, maps: Float[Tensor, "*n s s"]) -> Float[Tensor, "*n s s"]:
        return maps.flip([axis for axis, flipped in ((-1, self.horizontal), (-2, self.vertical)) if flipped])


def _ordered(boxes: Boxes) -> Boxes:
    """Any two opposite corners as top left and bottom right."""
    return torch.cat([torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])], 1)
