"""The perturbations that several methods share: SAM 2's training colours, and boxes that are slightly off."""

from collections.abc import Sequence
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import BaseModel, Field, NonNegativeFloat
from torch import Tensor

from uncertsam.inference.algebra import Inputs
from uncertsam.inference.augment import Boxes, Jitter, Picture, jittered, maybe_grey, move_boxes
from uncertsam.models.geometry import Geometry
from uncertsam.models.prompts import Prompts, jitter_boxes


class Colours(BaseModel, extra="forbid", frozen=True):
    """jitter, then grey with probability `greyscale`, then second_jitter. Defaults: the paper's."""

    jitter: Jitter = Jitter(brightness=0.1, contrast=0.03, saturation=0.03)
    greyscale: Annotated[float, Field(ge=0, le=1)] = 0.05
    second_jitter: Jitter = Jitter(brightness=0.1, contrast=0.05, saturation=0.05)


class BoxNoise(BaseModel, extra="forbid", frozen=True):
    """The noise of `jitter_boxes`. scale: of a box's sides. limit: pixels at 1024. Defaults: the paper's."""

    scale: NonNegativeFloat = 0.1
    limit: NonNegativeFloat = 20.0


def train_view(
    colours: Colours, image: Picture, geometry: Geometry, generator: torch.Generator
) -> Float[Tensor, "3 s s"]:
    """A random member's picture as the model's input: colours change after the resize, as in training."""
    first = jittered(geometry.resize(image), colours.jitter, generator)
    grey = maybe_grey(first, colours.greyscale, generator)
    return geometry.to_input(jittered(grey, colours.second_jitter, generator))


def moved_prompts(inputs: Inputs, k: int, noise: BoxNoise) -> Prompts:
    """Member k's prompts. A box draws from the generator "prompt/k/<the box>"."""
    size = inputs.model.image_size

    def move(boxes: Boxes) -> Boxes:
        moved = [boxes[:0]]
        for box in boxes:
            draw = inputs.generator(f"prompt/{k}/{_name(box.tolist())}")
            moved.append(jitter_boxes(box[None], size, draw, noise.scale, noise.limit))
        return torch.cat(moved)

    return move_boxes(inputs.prompts, move)


def joined(members: Sequence[Prompts]) -> Prompts:
    """One member's prompts after the other's; all of them have masks, or none."""
    masks = [member.masks for member in members if member.masks is not None]
    points, labels = ([getattr(member, part) for member in members] for part in ("points", "labels"))
    return Prompts(torch.cat(points), torch.cat(labels), torch.cat(masks) if masks else None)


def _name(box: list[float]) -> str:
    """Hundredths of a pixel: more digits would tell machines apart, not boxes."""
    return ",".join(f"{coordinate:.2f}" for coordinate in box)
