"""Photos as they come (any orientation, depth or alpha) as 8-bit RGB, and JPEG out."""

import io
import shutil
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from uncertsam.data import tiff
from uncertsam.data.depth import Scale, eight_bits

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"})
MOST_MEGAPIXELS = 178  # PIL refuses more, as a file that may be a trap
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
ORIENTATION = 0x0112  # EXIF's tag

DEEP_FORMATS = ("PNG", "PPM", "JPEG2000")  # Pillow reads their 16-bit colours as 8 bits

Change = Literal["turned", "deep", "alpha", "bands"]
SENTENCES: dict[Change, str] = {
    "turned": "The picture was turned upright, as its EXIF tag says; coordinates are of the upright picture.",
    "alpha": "The picture has transparency, which is left out: colours count as they are stored.",
    "bands": "Of the picture's bands the first three are shown as red, green and blue, or the first alone where there "
    "are two.",
}


class Unusable(Exception):
    """Why one file cannot be used, as part of a sentence. The preprocess stage lists it and goes on."""


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


@dataclass(frozen=True)
class Photo:
    """An image as RGB in [0, 255], what was done to it, and whether its file can stay as it is.

    scale: of a picture of more than 8 bits. orientation: EXIF's, by which it was turned, 1 where it was not.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    changes: frozenset[Change]
    is_jpeg: bool
    scale: Scale | None = None
    orientation: int = 1

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to it, in sentences; none for a plain picture."""
        told = [text for change, text in SENTENCES.items() if change in self.changes]
        return (*told, *(self.scale.sentences() if self.scale else ()))


def too_large(file: Path | bytes, most: float) -> str | None:
    """Why an image file is left out that has more than `most` megapixels, by its header; None where it has not.

    None too where the header is broken: whoever reads the file says so.
    """
    try:
        width, height = size_of(file)
    except Image.DecompressionBombError:
        return f"it has more than {MOST_MEGAPIXELS} megapixels"
    except BROKEN:
        return None
    megapixels = width * height / 1e6
    return f"it has {megapixels:.1f} megapixels, more than `max_megapixels` ({most:g})" if megapixels > most else None


def size_of(file: Path | bytes) -> tuple[int, int]:
    """Width and height by the header. Raises what Pillow raises."""
    try:
        with _large_ones_welcome(), Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            return image.size
    except UnidentifiedImageError:
        tags = tiff.tags_of(file if isinstance(file, bytes) else file.read_bytes())
        if tags is None:
            raise
        return tags.size


def load(path: Path) -> Decoded:
    """What an image file holds, of several pages the first. Raises Unusable with Pillow's reason."""
    try:
        return decode(path.read_bytes())
    except UnidentifiedImageError:
        raise Unusable(f"{path.name} cannot be read as an image (no known format)") from None
    except BROKEN as error:
        raise Unusable(f"{path.name} cannot be read as an image ({error})") from None


def decode(data: bytes) -> Decoded:
    """What an image file's bytes hold. Raises what Pillow raises, all of it in `BROKEN`."""
    tags = tiff.tags_of(data)
    if tags is not None and tags.beyond_pillow:
        return _of_tiff(data, tags)
    with _large_ones_welcome():
        return decode_image(Image.open(io.BytesIO(data)))


def decode_image(image: Image.Image) -> Decoded:
    """What a Pillow image holds: more than Pillow reads, where it is not loaded yet. Raises what Pillow raises."""
    data = _unread(image)
    tags = None if data is None else tiff.tags_of(data, image.tell())
    if data is not None and tags is not None and tags.beyond_pillow:
        return _of_tiff(data, tags)
    before = _orientation(image)  # Pillow turns a TIFF when it loads it, and forgets the tag
    image.load()
    orientation = _orientation(image) if before == 1 else before
    deep = None if data is None or image.tell() else _deep_colours(image, data)
    if deep is not None:
        alpha = upright(deep[..., 3], orientation) if deep.shape[2] == 4 else None
        return Decoded(None, upright(deep[..., :3], orientation), alpha, orientation)
    turned = ImageOps.exif_transpose(image) if orientation != 1 else image
    turned = turned.convert(turned.mode.upper()) if turned.mode in ("La", "RGBa") else turned  # multiplied by alpha
    turned.format = image.format
    if turned.mode == "F" or turned.mode.startswith("I"):
        values = np.asarray(turned)[..., None]
        return Decoded(None, values.astype(values.dtype.newbyteorder("=")), None, orientation, *_said(image))
    return Decoded(turned, orientation=orientation)


def rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """8-bit colours, alpha dropped. Raises Unusable on colour spaces that PIL cannot convert."""
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")  # a palette with transparency has to go this way
        return np.array(image.convert("RGB"))
    except BROKEN as error:
        raise Unusable(f"its colours ({image.mode}) cannot be read ({error})") from None


def read_photo(path: Path) -> Photo:
    """Read an image file as `photo_of` takes its content. Raises Unusable where the file is broken."""
    return photo_of(load(path))


def photo_of(found: Decoded) -> Photo:
    """An image upright, alpha dropped, more than 8 bits as `uncertsam.data.depth` says.

    Raises Unusable on colour spaces that PIL cannot convert.
    """
    changes: set[Change] = {"turned"} if found.orientation != 1 else set()
    if found.bands:
        changes.add("bands")
    if found.alpha is not None:
        changes.add("alpha")
    if found.image is None:
        pixels, scale = _shown(found)
        return Photo(pixels, frozenset({*changes, "deep"} if scale else changes), False, scale, found.orientation)
    changes |= {"alpha"} if found.image.has_transparency_data else set()
    is_jpeg = found.image.format in ("JPEG", "MPO") and found.image.mode in ("RGB", "L") and not changes
    return Photo(rgb(found.image), frozenset(changes), is_jpeg, None, found.orientation)


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """An array [H, W, ...] turned as EXIF's orientation (1 to 8) asks."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    rows, columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(values[:: -1 if rows else 1, :: -1 if columns else 1])


def write_photo(photo: Photo, source: Path, target: Path) -> None:
    """Write a JPEG: the source's own bytes where it is one and nothing changed, otherwise quality 95 and 4:4:4."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if photo.is_jpeg:
        shutil.copyfile(source, target)
    else:
        Image.fromarray(photo.pixels).save(target, "JPEG", quality=95, subsampling=0)


@contextmanager
def _large_ones_welcome() -> Iterator[None]:
    """PIL warns above half of what it refuses, where `max_megapixels` decides, and of tags that it passes over."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


def _orientation(image: Image.Image) -> int:
    try:
        number = image.getexif().get(ORIENTATION)
    except (*BROKEN, TypeError):  # a broken tag turns nothing
        return 1
    return number if isinstance(number, int) and number in range(2, 9) else 1


def _said(image: Image.Image) -> tuple[bool, float | None]:
    """Whether the smallest value is white, and the value of pixels without data, of grey that Pillow has read."""
    tags, clear = getattr(image, "tag_v2", {}), image.info.get("transparency")
    nodata = float(clear) if isinstance(clear, int) else tiff.number(tags.get(tiff.GDAL_NODATA))
    return tags.get(tiff.PHOTOMETRIC) == 0, nodata


def _unread(image: Image.Image) -> bytes | None:
    """The bytes of a file that Pillow has opened and not yet read, of a format that it cannot read in full."""
    file = getattr(image, "fp", None)
    if image.format not in (*DEEP_FORMATS, "TIFF") or not getattr(image, "tile", None) or file is None:
        return None
    at = file.tell()
    file.seek(0)
    data: bytes = file.read()
    file.seek(at)
    return data


def _deep_colours(image: Image.Image, data: bytes) -> np.ndarray | None:
    """Colours of 16 bits, and alpha where the file has it; None where the file has no more than Pillow reads."""
    if image.format not in DEEP_FORMATS or image.mode not in ("RGB", "RGBA", "LA"):
        return None
    if image.format == "PNG" and data[24] != 16:
        return None
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16 or found.ndim != 3:
        return None
    return np.ascontiguousarray(found[..., [2, 1, 0, 3][: found.shape[2]]])


def _of_tiff(data: bytes, tags: tiff.Tags) -> Decoded:
    values = upright(tiff.samples(data, tags), tags.orientation)
    alpha = None if tags.alpha is None else values[..., tags.alpha]
    bands = values if tags.alpha is None else np.delete(values, tags.alpha, axis=2)
    first = bands[..., : 3 if bands.shape[2] >= 3 else 1]
    if alpha is not None and tags.associated:
        first = _divided(first, alpha)
    more = bands.shape[2] > first.shape[2] or (first.shape[2] == 3 and tags.one(tiff.PHOTOMETRIC) != 2)
    return Decoded(None, first, alpha, tags.orientation, tags.white_is_zero, tags.nodata, more)


def _divided(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours that were multiplied by alpha, as they were before."""
    whole = 1.0 if alpha.dtype.kind == "f" else float(np.iinfo(alpha.dtype).max)
    share = alpha[..., None].astype(np.float64) / whole
    return np.where(share > 0, colours / np.where(share > 0, share, 1), colours)


def _shown(found: Decoded) -> tuple[UInt8[np.ndarray, "h w 3"], Scale | None]:
    """Samples as RGB; of 8 bits as they are."""
    assert found.samples is not None
    if found.samples.dtype == np.uint8:
        shown, scale = 255 - found.samples if found.white_is_zero else found.samples, None
    else:
        shown, scale = eight_bits(found.samples, found.nodata, found.white_is_zero)
    return np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown, scale
