"""What the bytes of an image file hold, by Pillow, and beyond it; upright, not scaled."""

import io
import struct
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Shaped
from PIL import Image, ImageOps

from uncertsam.data.format import quietly
from uncertsam.data.raw import _tiff

# PIL's decoders raise all of these on files that are cut off or altered
BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, RuntimeError, OverflowError, MemoryError,
    struct.error, Image.DecompressionBombError,
)  # fmt: skip
ORIENTATION = 0x0112  # EXIF's tag
DEEP_FORMATS = ("PNG", "PPM", "JPEG2000")  # Pillow reads their 16-bit colours as 8 bits


@dataclass(frozen=True)
class Decoded:
    """What an image file holds, upright: `image` where Pillow reads it in 8 bits a channel or less, else `samples`.

    samples: one channel or three, and alpha, which may be None; none of them scaled. orientation: EXIF's, of the file,
    1 where it has none. white_is_zero, nodata: of the samples. bands: more than those that were taken.
    """

    image: Image.Image | None
    samples: Shaped[np.ndarray, "h w c"] | None = None
    alpha: Shaped[np.ndarray, "h w"] | None = None
    orientation: int = 1
    white_is_zero: bool = False
    nodata: float | None = None
    bands: bool = False


def decode(data: bytes, number: int = 1) -> Decoded:
    """What an image file's bytes hold, of several pages that of this number. Raises what Pillow raises: `BROKEN`."""
    tags = _tiff.tags_of(io.BytesIO(data), number - 1)
    if tags is not None and tags.beyond_pillow:
        return _of_tiff(data, tags)
    if tags is not None and number > 1:
        data, number = _tiff.alone(data, tags), 1
    with quietly():
        image = Image.open(io.BytesIO(data))
        if image.tell() != number - 1:
            image.seek(number - 1)
        return decode_image(image)


def decode_image(image: Image.Image) -> Decoded:
    """What a Pillow image holds: more than Pillow reads, where it is not loaded yet. Raises what Pillow raises."""
    data = _unread(image)
    tags = None if data is None else _tiff.tags_of(io.BytesIO(data), image.tell())
    if data is not None and tags is not None and tags.beyond_pillow:
        return _of_tiff(data, tags)
    before = _orientation(image)  # Pillow turns a TIFF when it loads it, and forgets the tag
    image.load()
    orientation = _orientation(image) if before == 1 else before
    deep = None if data is None else _deep_colours(image, data)
    if deep is not None:
        alpha = upright(deep[..., 3], orientation) if deep.shape[2] == 4 else None
        return Decoded(None, upright(deep[..., :3], orientation), alpha, orientation)
    turned = ImageOps.exif_transpose(image) if orientation != 1 else image
    turned = turned.convert(turned.mode.upper()) if turned.mode in ("La", "RGBa") else turned  # multiplied by alpha
    turned.format = image.format
    if turned.mode == "F" or turned.mode.startswith("I"):
        values = np.asarray(turned)[..., None]
        return Decoded(None, values.astype(values.dtype.newbyteorder("=")), None, orientation, *_said(image))
    if turned.format == "GIF" and turned.mode == "P":  # its order is an accident; later pages have no palette
        turned = turned.convert("RGBA" if turned.has_transparency_data else "RGB")
    return Decoded(turned, orientation=orientation)


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """An array [H, W, ...] turned as EXIF's orientation (1 to 8) asks."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    rows, columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(values[:: -1 if rows else 1, :: -1 if columns else 1])


def _orientation(image: Image.Image) -> int:
    try:
        number = image.getexif().get(ORIENTATION)
    except (*BROKEN, TypeError):  # a broken tag turns nothing
        return 1
    return number if isinstance(number, int) and number in range(2, 9) else 1


def _said(image: Image.Image) -> tuple[bool, float | None]:
    """Whether the smallest value is white, and the value of pixels without data, of grey that Pillow has read."""
    tags, clear = getattr(image, "tag_v2", {}), image.info.get("transparency")
    nodata = float(clear) if isinstance(clear, int) else _tiff.number(tags.get(_tiff.GDAL_NODATA))
    return tags.get(_tiff.PHOTOMETRIC) == 0, nodata


def _unread(image: Image.Image) -> bytes | None:
    """The bytes of a file that Pillow has opened and not yet read, of a format that it cannot read in full."""
    wanted = image.format in (*DEEP_FORMATS, "TIFF") and getattr(image, "tile", None)
    return bytes_of(image) if wanted else None


def bytes_of(image: Image.Image) -> bytes | None:
    """The file that Pillow has opened; None where it is let go."""
    file = getattr(image, "fp", None)
    if file is None:
        return None
    at = file.tell()
    file.seek(0)
    data: bytes = file.read()
    file.seek(at)
    return data


def _deep_colours(image: Image.Image, data: bytes) -> np.ndarray | None:
    """Colours of 16 bits, and alpha where the file has it; None where the file has no more than Pillow reads.

    Raises ValueError on a later page of an animated PNG.
    """
    if image.format not in DEEP_FORMATS or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    if image.format == "PNG" and data[24] != 16:
        return None
    if image.tell():
        raise ValueError("it has colours of 16 bits, which are read of an animated PNG's first page only")
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16 or found.ndim != 3:
        return None
    return np.ascontiguousarray(found[..., [2, 1, 0, 3][: found.shape[2]]])


def _of_tiff(data: bytes, tags: _tiff.Tags) -> Decoded:
    values = upright(_tiff.samples(data, tags), tags.orientation)
    alpha = None if tags.alpha is None else values[..., tags.alpha]
    bands = values if tags.alpha is None else np.delete(values, tags.alpha, axis=2)
    first = bands[..., : 3 if bands.shape[2] >= 3 else 1]
    if alpha is not None and tags.associated:
        first = _divided(first, alpha)
    more = bands.shape[2] > first.shape[2] or (first.shape[2] == 3 and tags.one(_tiff.PHOTOMETRIC) != 2)
    return Decoded(None, first, alpha, tags.orientation, tags.white_is_zero, tags.nodata, more)


def _divided(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that were multiplied by alpha, as they were before."""
    whole = 1.0 if alpha.dtype.kind == "f" else float(np.iinfo(alpha.dtype).max)
    share = alpha[..., None].astype(np.float64) / whole
    return np.where(share > 0, colours / np.where(share > 0, share, 1), colours)
