"""How a model lays a picture into its square input: plain data, kept beside maps and read without the model.

Metrics and figures need no more than this, so torch is not imported here.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from uncertsam.base.errors import UserError

Size = tuple[int, ...]  # height and width of a picture, pixels


@dataclass(frozen=True)
class Layout:
    """image_size: side of the input, pixels. mask_size: side of the decoder's masks and of a mask prompt, cells.

    pads: the picture keeps its shape, its longer side fills the input, and zeros follow below or on the right (SAM 1);
    else it is stretched to the square (SAM 2).
    """

    image_size: int
    mask_size: int
    pads: bool = False

    def extent(self, size: Size) -> tuple[int, int]:
        """Rows and columns of the input that show a picture of `size`; the rest is padding. Rounded as SAM 1 does."""
        if not self.pads:
            return self.image_size, self.image_size
        scale = self.image_size / max(size)
        height, width = (max(1, int(side * scale + 0.5)) for side in size)
        return height, width

    def resize(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "hh ww 3"]:
        """An RGB picture at the input's resolution, without padding: antialiased bilinear; done twice, no change."""
        height, width = self.extent(image.shape[:2])
        return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))

    def to_picture(self, low: Float[np.ndarray, "h w"], size: Size) -> Float[np.ndarray, "height width"]:
        """A map of the decoder at the picture's size: bilinear, half-pixel centres, no antialiasing.

        It equals torch's `interpolate(mode="bilinear", align_corners=False)`, and keeps a constant exactly constant.
        """
        if self.pads:  # at the input's resolution the padding ends between two pixels
            rows, columns = self.extent(size)
            low = cv2.resize(low, (self.image_size,) * 2, interpolation=cv2.INTER_LINEAR)[:rows, :columns]
        return cv2.resize(low, size[::-1], interpolation=cv2.INTER_LINEAR)


def read_layout(cell: Path) -> Layout:
    """Of the model that made the maps in a folder of predictions. Raises UserError where meta.json does not say."""
    path = cell / "meta.json"
    try:
        return Layout(**json.loads(path.read_text(encoding="utf-8"))["layout"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        mend = "Delete its folder, then run the predict stage (or refine) again."
        raise UserError(f"{path} does not say how the model sees pictures ({error!r}).", mend) from None
