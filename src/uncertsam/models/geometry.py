"""How a model lays a picture into its square input, and how coordinates, masks and maps follow."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from uncertsam.base.errors import UserError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, per RGB channel
Size = tuple[int, int]  # height and width of a picture, pixels


@dataclass(frozen=True)
class Geometry:
    """The layout of one model. It is plain data, so that it can be stored beside maps and read without the model.

    image_size: side of the input, pixels. mask_size: side of the decoder's masks and of a mask prompt, cells.
    pads: the picture keeps its shape, its longer side fills the input, and zeros follow below or on the right (SAM 1);
    else it is stretched to the square (SAM 2).
    """

    image_size: int
    mask_size: int
    pads: bool = False

    def extent(self, size: Size) -> Size:
        """Rows and columns of the input that show a picture of `size`; the rest is padding. Rounded as SAM 1 does."""
        if not self.pads:
            return self.image_size, self.image_size
        scale = self.image_size / max(size)
        height, width = (max(1, int(side * scale + 0.5)) for side in size)
        return height, width

    def resize(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "hh ww 3"]:
        """An RGB picture at the input's resolution, without padding: antialiased bilinear. `to_input` keeps it."""
        height, width = self.extent(image.shape[:2])
        return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))

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
        height, width = masks.shape[1:]
        return self._padded(_resized(masks, self.extent((height, width))))

    def to_picture(self, low: Float[np.ndarray, "h w"], size: Size) -> Float[np.ndarray, "height width"]:
        """A map of the decoder at the picture's size: bilinear, half-pixel centres, no antialiasing.

        It equals torch's `interpolate(mode="bilinear", align_corners=False)`, and keeps a constant exactly constant.
        """
        if self.pads:  # at the input's resolution the padding ends between two pixels
            rows, columns = self.extent(size)
            low = cv2.resize(low, (self.image_size,) * 2, interpolation=cv2.INTER_LINEAR)[:rows, :columns]
        return cv2.resize(low, size[::-1], interpolation=cv2.INTER_LINEAR)

    def to_square(self, maps: Float[Tensor, "n c h w"], size: Size, side: int) -> Float[Tensor, "n c side side"]:
        """What maps of the decoder show of a picture of `size`, stretched to a square, as `to_square` does masks."""
        if self.pads:
            rows, columns = self.extent(size)
            maps = _bilinear(maps, self.image_size)[..., :rows, :columns]
        return _bilinear(maps, side)

    def _padded(self, maps: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n s s"]:
        height, width = maps.shape[-2:]
        return F.pad(maps, (0, self.image_size - width, 0, self.image_size - height))


def read_geometry(cell: Path) -> Geometry:
    """Of the model that made the maps in a folder of predictions. Raises UserError where meta.json does not say."""
    path = cell / "meta.json"
    try:
        return Geometry(**json.loads(path.read_text(encoding="utf-8"))["geometry"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        mend = "Delete its folder, then run the predict stage (or refine) again."
        raise UserError(f"{path} does not say how the model sees pictures ({error!r}).", mend) from None


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
