"""Image and coordinates between the original picture and the model's square input (aspect ratio not kept, as SAM 2)."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, per RGB channel


def normalise(images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """[0, 255] to zero mean and unit variance over ImageNet."""
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (images.float() / 255 - mean) / std


def to_input(image: UInt8[np.ndarray, "h w 3"], size: int) -> Float[Tensor, "3 s s"]:
    """An RGB picture as the model's input: antialiased bilinear resize to a square as torchvision's, normalised."""
    square = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    return normalise(torch.from_numpy(square.copy()).permute(2, 0, 1)[None])[0]


def to_square(masks: Bool[Tensor, "n h w"], size: int) -> Float[Tensor, "n size size"]:
    """Masks of any shape as 0 and 1 on a square, such as the model's input; 1 where half of the pixel is object."""
    square = F.interpolate(masks[:, None].float(), (size, size), mode="bilinear", align_corners=False, antialias=True)
    return (square[:, 0] >= 0.5).float()


def scale_points(points: Float[Tensor, "*n 2"], height: int, width: int, size: int) -> Float[Tensor, "*n 2"]:
    """Pixel indices (x, y) of the original picture to those of the square input; pixel centres map to centres."""
    ratio = torch.tensor([size / width, size / height], dtype=points.dtype)
    return (points + 0.5) * ratio - 0.5


def scale_boxes(boxes: Float[Tensor, "n 4"], height: int, width: int, size: int) -> Float[Tensor, "n 4"]:
    """Inclusive boxes (x0, y0, x1, y1): the outer edges of the pixels scale, so that a box keeps what it covers.

    The paper's code boxes the resized mask instead; a tiny object can vanish there, and does not here.
    """
    outward = torch.tensor([-0.5, -0.5, 0.5, 0.5], dtype=boxes.dtype)
    scaled = scale_points((boxes + outward).reshape(-1, 2, 2), height, width, size).reshape(-1, 4) - outward
    low = torch.minimum(scaled[:, :2], scaled[:, 2:])  # an object thinner than a pixel of the square
    return torch.cat([low, scaled[:, 2:]], 1).clamp(0, size - 1)
