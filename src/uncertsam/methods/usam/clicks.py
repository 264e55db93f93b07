"""USAM's prompts: clicks on an object, drawn from its mask; and the views of a picture (section 4.1, App. A)."""

from collections.abc import Callable
from io import BytesIO

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from uncertsam.base.files import encoded
from uncertsam.config.usam import View

Mask = Bool[np.ndarray, "h w"]
Picture = UInt8[np.ndarray, "h w 3"]
_NOISE = 5000**0.5  # grey levels of 255


def eroded(mask: Mask) -> Mask:
    """The mask without its rim (a 5 x 5 square, once; beyond the picture counts as object), unless nothing is left."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return inner if inner.any() else mask


def central(mask: Mask) -> Float[np.ndarray, " 2"]:
    """The pixel (x, y) of the eroded mask that is nearest to the mean of its pixels: always on the object.

    Raises ValueError on an empty mask.
    """
    at = _pixels(mask)
    return at[np.square(at - at.mean(0)).sum(1).argmin()]


def scattered(mask: Mask, count: int, generator: np.random.Generator) -> Float[np.ndarray, "count 2"]:
    """Random pixels (x, y) of the eroded mask, different ones where there are enough. ValueError on an empty mask."""
    at = _pixels(mask)
    return generator.choice(at, count, replace=len(at) < count)


def _pixels(mask: Mask) -> Float[np.ndarray, "n 2"]:
    if not mask.any():
        raise ValueError("an empty mask has no pixel to click on")
    return np.argwhere(eroded(mask))[:, ::-1].astype(np.float32)


def changed(picture: Picture, view: View, generator: np.random.Generator) -> Picture:
    """JPEG of quality 10 or 30, normal noise of variance 5000 per channel, or a Gaussian blur of 5 x 5."""
    return VIEWS[view](picture, generator)


def _jpeg(picture: Picture, quality: int) -> Picture:
    content = encoded(picture[..., ::-1], ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(Image.open(BytesIO(content)))


def _noisy(picture: Picture, generator: np.random.Generator) -> Picture:
    noise = generator.normal(0, _NOISE, picture.shape)
    return (picture + noise).round().clip(0, 255).astype(np.uint8)


VIEWS: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "jpeg10": lambda picture, generator: _jpeg(picture, 10),
    "jpeg30": lambda picture, generator: _jpeg(picture, 30),
    "noise": _noisy,
    "blur": lambda picture, generator: cv2.GaussianBlur(picture, (5, 5), 0),
}
