"""A picture in any form that people have it in, as RGB; by the rules of `uncertsam.data.images`."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from uncertsam.data.images import (
    BROKEN,
    Decoded,
    Photo,
    Unusable,
    decode,
    decode_image,
    load,
    photo_of,
    size_of,
    too_large,
)
from uncertsam.errors import UserError

MOST = 64.0  # megapixels, as where datasets are read; about 30 bytes per pixel are held while a picture is answered
FORMS = (
    "Give a path, a PIL image, a numpy array [H, W, 3] of uint8 (or [H, W] of any integers), or a tensor [3, H, W] "
    "of uint8, or of floats in [0, 1]."
)

Rgb = UInt8[np.ndarray, "h w 3"]


def pixels_of(picture: Any, most: float = MOST) -> Rgb:
    """RGB in [0, 255], upright by its EXIF tag, alpha dropped, more than 8 bits by the rule of `uncertsam.data.depth`.

    picture: a path, a PIL image, an array [H, W], [H, W, 1], [H, W, 3] or [H, W, 4], or a tensor with the channels
    first. most: megapixels. Raises UserError on anything else, on a broken file, and on a picture that is too large.
    """
    return picture_of(picture, most).pixels


def picture_of(picture: Any, most: float = MOST) -> Photo:
    """As `pixels_of`, with notes on what was done to the picture."""
    if isinstance(picture, str | Path):
        return _of_file(Path(picture), most)
    given = picture if isinstance(picture, Image.Image) else _array(picture)
    height, width = (given.height, given.width) if isinstance(given, Image.Image) else given.shape[:2]
    megapixels = width * height / 1e6
    if not megapixels:
        raise UserError(f"The picture has {width}x{height} pixels.", FORMS)
    if megapixels > most:
        raise _too_large("The picture", f"it has {megapixels:.1f} megapixels, more than `max_megapixels` ({most:g})")
    try:
        return photo_of(_decoded(given))
    except (Unusable, *BROKEN) as error:
        raise UserError(f"The picture cannot be used: {error}.", FORMS) from None


def picture_in(data: bytes, most: float = MOST) -> Photo:
    """As `picture_of`, of an image file's bytes."""
    reason = too_large(data, most)
    if reason:
        raise _too_large("The picture", reason)
    unknown = UserError("The file is no picture that can be read.", "Choose a JPEG or a PNG.")
    try:
        size_of(data)
    except BROKEN:
        raise unknown from None
    try:
        return photo_of(decode(data))
    except UnidentifiedImageError:
        raise unknown from None
    except (Unusable, *BROKEN) as error:
        raise UserError(f"The picture cannot be used: {error}.", "Choose a JPEG or a PNG.") from None


def name_of(picture: Any) -> str:
    """The file's name; empty for a picture that has none."""
    source = getattr(picture, "filename", "") if isinstance(picture, Image.Image) else picture
    return Path(source).name if isinstance(source, str | Path) and str(source) else ""


def identity(pixels: Rgb) -> str:
    """A picture's name by what is on it: the first 16 digits of a SHA-256."""
    shape = "x".join(map(str, pixels.shape))
    return hashlib.sha256(shape.encode() + pixels.tobytes()).hexdigest()[:16]


def _of_file(path: Path, most: float) -> Photo:
    if not path.is_file():
        raise UserError(f"There is no file {path}.", "Check the name.")
    reason = too_large(path, most)
    if reason:
        raise _too_large(str(path), reason)
    try:
        return photo_of(load(path))
    except Unusable as error:
        raise UserError(f"{path} is no picture that can be used: {error}.", "Save it as JPEG or PNG.") from None


def _too_large(what: str, reason: str) -> UserError:
    return UserError(f"{what} is too large: {reason}.", "Shrink it; or raise max_megapixels, memory permitting.")


def _decoded(given: Image.Image | np.ndarray) -> Decoded:
    if isinstance(given, np.ndarray):
        deep = given.dtype != np.uint8
        return Decoded(None, given[..., None]) if deep else Decoded(Image.fromarray(given))
    try:
        return decode_image(given)
    except (AttributeError, TypeError, AssertionError, *BROKEN) as error:  # the first three: a file that is let go
        if _is_closed(given):
            raise UserError("The PIL image is closed.", "Open it again, or give the file's path.") from None
        raise Unusable(str(error)) from None


def _is_closed(image: Image.Image) -> bool:
    """Whether an image that could not be read has no file any more to be read from."""
    file = getattr(image, "fp", None)
    return file is None or bool(getattr(file, "closed", False))


def _array(picture: Any) -> np.ndarray:
    """[H, W] of integers, or [H, W, 3 or 4] of 8 bits."""
    if isinstance(picture, torch.Tensor):
        picture = _of_tensor(picture.detach().as_subclass(torch.Tensor))
    if not isinstance(picture, np.ndarray):
        raise UserError(f"A {type(picture).__name__} is no picture.", FORMS)
    array = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    colour = array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8
    if not colour and not (array.ndim == 2 and array.dtype.kind in "ui"):
        raise UserError(f"An array of shape {[*picture.shape]} and type {picture.dtype} is no picture.", FORMS)
    return np.ascontiguousarray(array)


def _of_tensor(picture: torch.Tensor) -> np.ndarray:
    """Channels last, floats as uint8."""
    if picture.ndim != 3 or picture.shape[0] not in (1, 3, 4):
        raise UserError(f"A tensor of shape {[*picture.shape]} is no picture.", FORMS)
    if picture.is_floating_point():
        values = picture.float()
        if not bool(((values >= 0) & (values <= 1)).all()):
            raise UserError("A tensor of floats has values outside of [0, 1], or NaN.", FORMS)
        picture = (values * 255).round().byte()
    array: np.ndarray = picture.cpu().movedim(0, -1).numpy()
    return array
