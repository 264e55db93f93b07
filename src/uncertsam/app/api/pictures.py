"""A picture in any form that people have it in, as RGB; by the rules of `uncertsam.data.raw.images`."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from uncertsam.base.errors import UserError
from uncertsam.data.raw.decoding import BROKEN, Decoded, bytes_of, decode, decode_image
from uncertsam.data.raw.images import Page, Photo, Source, Unusable, load, pages_of, photo_of, size_of, too_large

MOST = 64.0  # megapixels, as where datasets are read; about 30 bytes per pixel are held while a picture is answered
FORMS = (
    "Give a path, a PIL image, a numpy array [H, W, 3] of uint8 (or [H, W] of any integers), or a tensor [3, H, W] "
    "of uint8, or of floats in [0, 1]."
)

Rgb = UInt8[np.ndarray, "h w 3"]


def pixels_of(picture: Any, most: float = MOST) -> Rgb:
    """RGB in [0, 255], upright by its EXIF tag, alpha dropped, more than 8 bits by the rule of
    `uncertsam.data.raw.depth`.

    picture: a path (of a file with several pages its first, or stack.tif#p002), a PIL image, an array [H, W],
    [H, W, 1], [H, W, 3] or [H, W, 4], or a tensor with the channels first. most: megapixels. Raises UserError on
    anything else, on a broken file, and on a picture that is too large.
    """
    return picture_of(picture, most).pixels


def picture_of(picture: Any, most: float = MOST) -> Photo:
    """As `pixels_of`, with notes on which page of several it is, and on what was done to it."""
    if isinstance(picture, str | Path):
        return _of_file(Path(picture), most)
    given = picture if isinstance(picture, Image.Image) else _array(picture)
    height, width = (given.height, given.width) if isinstance(given, Image.Image) else given.shape[:2]
    megapixels = width * height / 1e6
    if not megapixels:
        raise UserError(f"The picture has {width}x{height} pixels.", FORMS)
    if megapixels > most:
        raise _too_large("The picture", f"it has {megapixels:.1f} megapixels, more than `max_megapixels` ({most:g})")
    note = _page_note(_frames(given), given.tell() + 1) if isinstance(given, Image.Image) else ""
    try:
        return replace(photo_of(_decoded(given)), page=note)
    except (Unusable, *BROKEN) as error:
        raise UserError(f"The picture cannot be used: {error}.", FORMS) from None


def picture_in(data: bytes, most: float = MOST) -> Photo:
    """As `picture_of`, of an image file's bytes; of several pages the first."""
    unknown = UserError("The file is no picture that can be read.", "Choose a JPEG or a PNG.")
    try:
        numbers = pages_of(data).numbers
        reason = too_large(data, most, numbers[0])
        if reason:
            raise _too_large("The picture", reason)
        if not _has_header(data, numbers[0]):
            raise unknown
        photo = photo_of(decode(data, numbers[0]))
    except UnidentifiedImageError:
        raise unknown from None
    except (Unusable, *BROKEN) as error:
        raise UserError(f"The picture cannot be used: {error}.", "Choose a JPEG or a PNG.") from None
    return replace(photo, page=_page_note(len(numbers), 1))


def page_named(path: Path) -> Source:
    """A picture file; or, of a name such as stack.tif#p002 that no file has, that page of stack.tif."""
    found = re.fullmatch(r"(.+)#p(\d+)", path.name)
    if found and not path.is_file() and path.with_name(found[1]).is_file():
        return Page(path.with_name(found[1]), int(found[2]))
    return path


def name_of(picture: Any) -> str:
    """The file's name; empty for a picture that has none."""
    source = getattr(picture, "filename", "") if isinstance(picture, Image.Image) else picture
    return Path(source).name if isinstance(source, str | Path) and str(source) else ""


def identity(pixels: Rgb) -> str:
    """A picture's name by what is on it: the first 16 digits of a SHA-256."""
    shape = "x".join(map(str, pixels.shape))
    return hashlib.sha256(shape.encode() + pixels.tobytes()).hexdigest()[:16]


def _of_file(path: Path, most: float) -> Photo:
    source, note = page_named(path), ""
    file = source.file if isinstance(source, Page) else source
    if not file.is_file():
        raise UserError(f"There is no file {path}.", "Check the name.")
    numbers = _numbers(file)
    if not isinstance(source, Page):
        source = Page(file, numbers[0]) if numbers != [1] else file
        if len(numbers) > 1:
            other = Page(file, numbers[1]).name
            note = f"{file.name} has {len(numbers)} pages, of which this is the first; the second is {other}."
    elif source.number not in numbers:
        raise UserError(f"{file} has no page {source.number}.", f"Its pages are {', '.join(map(str, numbers))}.")
    reason = too_large(source, most)
    if reason:
        raise _too_large(str(path), reason)
    try:
        return replace(photo_of(load(source)), page=note)
    except Unusable as error:
        raise UserError(f"{path} is no picture that can be used: {error}.", "Save it as JPEG or PNG.") from None


def _has_header(data: bytes, number: int) -> bool:
    try:
        size_of(data, number)
    except BROKEN:
        return False
    return True


def _page_note(count: int, number: int) -> str:
    return f"The picture has {count} pages, of which this is page {number}." if count > 1 else ""


def _frames(image: Image.Image) -> int:
    """Of a picture whose file may be closed by now: then none but this one can be meant."""
    try:
        data = bytes_of(image) if image.format == "TIFF" else None  # Pillow loses its place at a page that it refuses
        if data is not None:
            pages = pages_of(data)
            return len(pages.numbers) + pages.others if len(pages.numbers) > 1 else 1
        return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    except (AttributeError, Unusable, *BROKEN):
        return 1


def _numbers(file: Path) -> list[int]:
    try:
        return pages_of(file).numbers
    except Unusable as error:
        raise UserError(f"{file} is no picture that can be used: {error}.", "Save it as JPEG or PNG.") from None


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
