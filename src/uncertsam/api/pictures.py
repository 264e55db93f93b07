"""A picture in any form that people have it in, as RGB; by the rules of `uncertsam.data.images`."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from uncertsam.data.images import BROKEN, Page, Source, Unusable, load, pages_of, photo_of, too_large
from uncertsam.errors import UserError

if TYPE_CHECKING:
    import torch

MOST = 64.0  # megapixels, as where datasets are read; about 30 bytes per pixel are held while a picture is answered
FORMS = (
    "Give a path, a PIL image, a numpy array [H, W, 3] of uint8 (or [H, W] of uint8 or uint16), or a tensor [3, H, W] "
    "of uint8, or of floats in [0, 1]."
)

Rgb = UInt8[np.ndarray, "h w 3"]


def pixels_of(picture: Any, most: float = MOST) -> Rgb:
    """RGB in [0, 255], upright by its EXIF tag, alpha dropped, more than 8 bits scaled by the picture's largest value.

    picture: a path (of a file with several pages its first, or stack.tif#p002), a PIL image, an array [H, W],
    [H, W, 1], [H, W, 3] or [H, W, 4], or a tensor with the channels first. most: megapixels. Raises UserError on
    anything else, on a broken file, and on a picture that is too large.
    """
    if isinstance(picture, str | Path):
        return _of_file(Path(picture), most)
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(_array(picture))
    megapixels = image.width * image.height / 1e6
    if not megapixels:
        raise UserError(f"The picture has {image.width}x{image.height} pixels.", FORMS)
    if megapixels > most:
        raise _too_large("The picture", f"it has {megapixels:.1f} megapixels, more than `max_megapixels` ({most:g})")
    try:
        image.load()
        return photo_of(image).pixels
    except (Unusable, *BROKEN) as error:
        raise UserError(f"The picture cannot be used: {error}.", FORMS) from None


def page_named(path: Path) -> Source:
    """A picture file; or, of a name such as stack.tif#p002 that no file has, that page of stack.tif."""
    found = re.fullmatch(r"(.+)#p(\d+)", path.name)
    if found and not path.is_file() and path.with_name(found[1]).is_file():
        return Page(path.with_name(found[1]), int(found[2]))
    return path


def notes_of(picture: Any) -> tuple[str, ...]:
    """Which page of several is the picture; empty where there is one, or where the page was named.

    Raises UserError where the pages cannot be counted.
    """
    if isinstance(picture, Image.Image):
        count, at = _frames(picture), picture.tell() + 1
        return (f"The picture has {count} pages, of which this is page {at}.",) if count > 1 else ()
    if not isinstance(picture, str | Path) or isinstance(page_named(Path(picture)), Page):
        return ()
    numbers, path = _numbers(Path(picture)), Path(picture)
    if len(numbers) < 2:
        return ()
    other = Page(path, numbers[1]).name
    return (f"{path.name} has {len(numbers)} pages, of which this is the first; the second is {other}.",)


def name_of(picture: Any) -> str:
    """The file's name; empty for a picture that has none."""
    source = getattr(picture, "filename", "") if isinstance(picture, Image.Image) else picture
    return Path(source).name if isinstance(source, str | Path) and str(source) else ""


def identity(pixels: Rgb) -> str:
    """A picture's name by what is on it: the first 16 digits of a SHA-256."""
    shape = "x".join(map(str, pixels.shape))
    return hashlib.sha256(shape.encode() + pixels.tobytes()).hexdigest()[:16]


def _of_file(path: Path, most: float) -> Rgb:
    source = page_named(path)
    file = source.file if isinstance(source, Page) else source
    if not file.is_file():
        raise UserError(f"There is no file {path}.", "Check the name.")
    numbers = _numbers(file)
    if not isinstance(source, Page):
        source = Page(file, numbers[0]) if numbers != [1] else file
    elif source.number not in numbers:
        raise UserError(f"{file} has no page {source.number}.", f"Its pages are {', '.join(map(str, numbers))}.")
    reason = too_large(source, most)
    if reason:
        raise _too_large(str(path), reason)
    try:
        return photo_of(load(source)).pixels
    except Unusable as error:
        raise UserError(f"{path} is no picture that can be used: {error}.", "Save it as JPEG or PNG.") from None


def _frames(image: Image.Image) -> int:
    """Of a picture whose file may be closed by now: then none but this one can be meant."""
    try:
        return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
    except (AttributeError, *BROKEN):
        return 1


def _numbers(file: Path) -> list[int]:
    try:
        return pages_of(file).numbers
    except Unusable as error:
        raise UserError(f"{file} is no picture that can be used: {error}.", "Save it as JPEG or PNG.") from None


def _too_large(what: str, reason: str) -> UserError:
    return UserError(f"{what} is too large: {reason}.", "Shrink it; or raise max_megapixels, memory permitting.")


def _array(picture: Any) -> np.ndarray:
    """What PIL takes: [H, W] of 8 or 16 bits, or [H, W, 3 or 4] of 8 bits."""
    if type(picture).__module__ == "torch":
        picture = _of_tensor(picture)
    if not isinstance(picture, np.ndarray):
        raise UserError(f"A {type(picture).__name__} is no picture.", FORMS)
    array = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    deep = array.dtype == np.uint16 and array.ndim == 2
    colour = array.ndim == 3 and array.shape[2] in (3, 4)
    if not deep and not (array.dtype == np.uint8 and (array.ndim == 2 or colour)):
        raise UserError(f"An array of shape {[*picture.shape]} and type {picture.dtype} is no picture.", FORMS)
    return np.ascontiguousarray(array)


def _of_tensor(picture: "torch.Tensor") -> np.ndarray:
    """Channels last, uint8."""
    if picture.ndim != 3 or picture.shape[0] not in (1, 3, 4):
        raise UserError(f"A tensor of shape {[*picture.shape]} is no picture.", FORMS)
    if picture.is_floating_point():
        values = picture.detach().float()
        if not bool(((values >= 0) & (values <= 1)).all()):
            raise UserError("A tensor of floats has values outside of [0, 1], or NaN.", FORMS)
        picture = (values * 255).round().byte()
    array: np.ndarray = picture.detach().cpu().movedim(0, -1).numpy()
    return array
