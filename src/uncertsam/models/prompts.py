"""Prompts in the pixels of the model's input, ready for the prompt encoder."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from uncertsam.models.geometry import Geometry
from uncertsam.models.layout import Size

PAD, BACKGROUND, FOREGROUND, TOP_LEFT, BOTTOM_RIGHT = -1, 0, 1, 2, 3


@dataclass(frozen=True)
class Prompts:
    """One prompt per object: a padded list of labelled points, and perhaps a mask.

    points: x, y in pixels of the square input. labels: 1 foreground, 0 background, 2 and 3 the corners of a box,
    -1 padding. masks: low-resolution logits of an earlier answer.
    """

    points: Float[Tensor, "n k 2"]
    labels: Int[Tensor, "n k"]
    masks: Float[Tensor, "n 1 h w"] | None = None

    def __len__(self) -> int:
        return self.points.shape[0]

    def __getitem__(self, index: slice) -> "Prompts":
        masks = None if self.masks is None else self.masks[index]
        return Prompts(self.points[index], self.labels[index], masks)

    def to(self, device: torch.device) -> "Prompts":
        masks = None if self.masks is None else self.masks.to(device)
        return Prompts(self.points.to(device), self.labels.to(device), masks)


def from_boxes(boxes: Float[Tensor, "n 4"]) -> Prompts:
    """Boxes (x0, y0, x1, y1) as their two labelled corners, the way SAM 2 takes them."""
    labels = torch.tensor([TOP_LEFT, BOTTOM_RIGHT], device=boxes.device).expand(len(boxes), 2)
    return Prompts(boxes.reshape(-1, 2, 2), labels.contiguous())


def to_prompts(
    geometry: Geometry,
    size: Size,
    boxes: Float[Tensor, "n 4"] | None = None,
    points: Float[Tensor, "n k 2"] | None = None,
    labels: Int[Tensor, "n k"] | None = None,
) -> Prompts:
    """Boxes and points in the pixels of a picture as prompts in those of the model's input; a box stands first.

    size: of the picture. boxes: inclusive. points, labels: both or none, as in `Prompts`.
    """
    found = [] if boxes is None else [from_boxes(geometry.boxes_to_grid(boxes, size))]
    if points is not None and labels is not None:
        found.append(Prompts(geometry.to_grid(points, size), labels))
    return Prompts(torch.cat([one.points for one in found], 1), torch.cat([one.labels for one in found], 1))


def box_of_mask(mask: Float[Tensor, "h w"] | Tensor) -> Float[Tensor, " 4"]:
    """The inclusive bounding box (x0, y0, x1, y1) of the non-zero pixels, as the paper's code draws it.

    Raises ValueError on an empty mask.
    """
    rows, columns = torch.nonzero(mask.any(1)).flatten(), torch.nonzero(mask.any(0)).flatten()
    if not len(rows):
        raise ValueError("an empty mask has no bounding box")
    return torch.stack([columns[0], rows[0], columns[-1], rows[-1]]).float()


def jitter_boxes(
    boxes: Float[Tensor, "n 4"], size: int, generator: torch.Generator, scale: float = 0.1, limit: float = 20.0
) -> Float[Tensor, "n 4"]:
    """Each coordinate moves by U[-1, 1] * min(scale * side, limit); sides and limit in pixels (paper App. E).

    `limit` is meant at 1024 px and shrinks with the input size. Clamped to the image, corners kept in order.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    reach = torch.clamp(scale * sides, max=limit * size / 1024)
    noise = torch.rand(boxes.shape, generator=generator, device=generator.device).to(boxes.device) * 2 - 1
    moved = (boxes + noise * reach).clamp(0, size - 1)
    low, high = torch.minimum(moved[:, :2], moved[:, 2:]), torch.maximum(moved[:, :2], moved[:, 2:])
    return torch.cat([low, high], 1)
