"""From pictures, points and masks to a model's square input, and from its maps back."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from uncertsam.models.layout import Layout, Size

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, per RGB channel


@dataclass(frozen=True)
class Geometry(Layout):
    """A layout, and what of it needs tensors."""

    def to_input(self, image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 s s"]:
        """An RGB picture as the model's input, normalised."""
        return self._padded(normalise(torch.from_numpy(self.resize(image)).permute(2, 0, 1)[None])[0])

    def to_grid(self, points: Float[Tensor, "*n 2"], size: Size) -> Float[Tensor, "*n 2"]:
        """Pixel indices (x, y) of a picture of `size` to those of the input; pixel centres map to centres."""
        (height, width), (rows, columns) = size, self.extent(size)
        ratio = torch.tensor([columns / width, rows / height], dtype=points.dtype)
        return (points + 0.5) * ratio - 0.5

    def boxes_to_grid(self, boxes: Float[Tensor, "n 4"], size: Size) -> Float[Tensor, "n 4"]:
        """Inclusive boxes (x0, y0, x1, y1): the outer edges of the pixels scale, so that a box keeps what it covers.

        The paper's code boxes the resized mask instead; a tiny object can vanish there, and does not here.
        """
        outward = torch.tensor([-0.5, -0.5, 0.5, 0.5], dtype=boxes.dtype)
        scaled = self.to_grid((boxes + outward).reshape(-1, 2, 2), size).reshape(-1, 4) - outward
        low = torch.minimum(scaled[:, :2], scaled[:, 2:])  # an object thinner than a pixel of the input
        rows, columns = self.extent(size)
        most = torch.tensor([columns - 1, rows - 1] * 2, dtype=boxes.dtype)
        return torch.cat([low, scaled[:, 2:]], 1).clamp(min=0).minimum(most)

    def masks_to_input(self, masks: Bool[Tensor, "n h w"]) -> Float[Tensor, "n s s"]:
        """Masks of a picture as 0 and 1 where the input shows them; 0 in the padding."""
        return self._padded(_resized(masks, self.extent(masks.shape[1:])))

    def to_square(self, maps: Float[Tensor, "n c h w"], size: Size, side: int) -> Float[Tensor, "n c side side"]:
        """What maps of the decoder show of a picture of `size`, stretched to a square, as `to_square` does masks."""
        if self.pads:
            rows, columns = self.extent(size)
            maps = _bilinear(maps, self.image_size)[..., :rows, :columns]
        return _bilinear(maps, side)

    def _padded(self, maps: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n s s"]:
        height, width = maps.shape[-2:]
        return F.pad(maps, (0, self.image_size - width, 0, self.image_size - height))


def normalise(images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """[0, 255] to zero mean and unit variance over ImageNet."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (images.float() / 255 - mean) / std


def to_square(masks: Bool[Tensor, "n h w"], side: int) -> Float[Tensor, "n side side"]:
    """Masks of any shape as 0 and 1, stretched to a square; 1 where half of the pixel is object."""
    return _resized(masks, (side, side))


def _resized(masks: Bool[Tensor, "n h w"], size: Size) -> Float[Tensor, "n hh ww"]:
    large = F.interpolate(masks[:, None].float(), size, mode="bilinear", align_corners=False, antialias=True)
    return (large[:, 0] >= 0.5).float()


def _bilinear(maps: Float[Tensor, "n c h w"], side: int) -> Float[Tensor, "n c side side"]:
    return F.interpolate(maps, (side, side), mode="bilinear", align_corners=False)
