"""Photos as they come (any orientation, depth or alpha) as 8-bit RGB, and JPEG out."""

import io
import shutil
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif",
    ".avif", ".avifs", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga",
    ".qoi", ".pcx", ".sgi",
})  # fmt: skip
MOST_MEGAPIXELS = 178  # PIL refuses more, as a file that may be a trap
# PIL's decoders raise all of these on files that are cut off or altered
BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, RuntimeError, OverflowError, MemoryError,
    struct.error, Image.DecompressionBombError,
)  # fmt: skip
LOST_PAGES = "Corrupt EXIF data|Invalid APNG"  # PIL takes what it cannot read for the end of the file, and warns
ORIENTATION = 0x0112  # EXIF's tag

SUBFILE, OLD_SUBFILE = 254, 255  # TIFF's tags that mark a smaller copy of another page, or its transparency

Change = Literal["turned", "deep", "alpha"]


class Unusable(Exception):
    """Why one file cannot be used, as part of a sentence. The preprocess stage lists it and goes on."""


@dataclass(frozen=True)
class Page:
    """One page (frame) of a picture file that holds several. number: from 1, all of the file's pages counted."""

    file: Path
    number: int

    @property
    def name(self) -> str:
        return f"{self.file.name}#p{self.number:03d}"

    @property
    def parent(self) -> Path:
        return self.file.parent


Source = Path | Page


class Pages(NamedTuple):
    """The numbers, from 1, of a file's pages that are pictures of their own, and how many others it holds.

    Those are an MPO's further images (previews, gain maps) and a TIFF's smaller copies and masks of another page.
    """

    numbers: list[int]
    others: int


@dataclass(frozen=True)
class Photo:
    """An image as RGB in [0, 255], what was done to it, and whether its file can stay as it is."""

    pixels: UInt8[np.ndarray, "h w 3"]
    changes: frozenset[Change]
    is_jpeg: bool


def too_large(source: Source, most: float) -> str | None:
    """Why an image file is left out that has more than `most` megapixels, by its header; None where it has not.

    None too where the header is broken: whoever reads the file says so.
    """
    try:
        with _quietly(), Image.open(source.file if isinstance(source, Page) else source) as image:
            if isinstance(source, Page) and image.format == "TIFF":  # elsewhere all pages are of one size
                image.seek(source.number - 1)
            megapixels = image.width * image.height / 1e6
    except Image.DecompressionBombError:
        return f"it has more than {MOST_MEGAPIXELS} megapixels"
    except BROKEN:
        return None
    return f"it has {megapixels:.1f} megapixels, more than `max_megapixels` ({most:g})" if megapixels > most else None


def pages_of(path: Path) -> Pages:
    """The pages of an image file. Raises Unusable where they cannot be counted.

    Of a file that is broken from its start there is one: whoever reads it says what is wrong.
    """
    with _quietly():
        warnings.filterwarnings("error", LOST_PAGES, UserWarning)
        try:
            image = Image.open(path)
        except (*BROKEN, UserWarning):
            return Pages([1], 0)
        try:
            with image:
                return _pages(image)
        except (*BROKEN, UserWarning) as error:
            raise Unusable(f"the pages of {path.name} cannot be counted ({str(error).strip()})") from None


def load(source: Source) -> Image.Image:
    """The decoded picture of an image file, or of one page. Raises Unusable with PIL's reason, which names no path.

    So it does where a file of several pages is given without saying which. A GIF comes in colours: how its palette is
    ordered is an accident, and from the second page on there is none.
    """
    path = source.file if isinstance(source, Page) else source
    try:
        with _quietly():
            image = Image.open(io.BytesIO(path.read_bytes()))
            _turn_to(image, source)
            image.load()
    except UnidentifiedImageError:
        raise Unusable(f"{path.name} cannot be read as an image (no known format)") from None
    except BROKEN as error:
        raise Unusable(f"{source.name} cannot be read as an image ({error})") from None
    if image.format == "GIF" and image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """8-bit colours, alpha dropped. Raises Unusable on colour spaces that PIL cannot convert."""
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")  # a palette with transparency has to go this way
        return np.array(image.convert("RGB"))
    except BROKEN as error:
        raise Unusable(f"its colours ({image.mode}) cannot be read ({error})") from None


def read_photo(source: Source) -> Photo:
    """Read an image file as `photo_of` reads an image. Raises Unusable where the file is broken."""
    return photo_of(load(source))


def photo_of(image: Image.Image) -> Photo:
    """An image turned upright by its EXIF tag, alpha dropped, more than 8 bits scaled by its largest value.

    Raises Unusable on colour spaces that PIL cannot convert.
    """
    changes: set[Change] = set()
    if _is_turned(image):
        changes.add("turned")
        upright = ImageOps.exif_transpose(image)
    else:
        upright = image
    if upright.mode == "F" or upright.mode.startswith("I"):
        changes.add("deep")
        pixels = _scaled(np.asarray(upright))
    else:
        changes |= {"alpha"} if upright.has_transparency_data else set()
        pixels = rgb(upright)
    is_jpeg = image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L") and not changes
    return Photo(pixels, frozenset(changes), is_jpeg)


def write_photo(photo: Photo, source: Path, target: Path) -> None:
    """Write a JPEG: the source's own bytes where it is one and nothing changed, otherwise quality 95 and 4:4:4."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if photo.is_jpeg:
        shutil.copyfile(source, target)
    else:
        Image.fromarray(photo.pixels).save(target, "JPEG", quality=95, subsampling=0)


@contextmanager
def _quietly() -> Iterator[None]:
    """PIL warns above half of what it refuses; here `max_megapixels` decides. And of tags that it passes over."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        yield


def _pages(image: Image.Image) -> Pages:
    frames = int(getattr(image, "n_frames", 1))
    if image.format == "MPO":
        return Pages([1], frames - 1)
    if frames == 1 or not isinstance(image, TiffImageFile):
        return Pages(list(range(1, frames + 1)), 0)
    numbers = [k + 1 for k in range(frames) if not _is_copy(image, k)] or [1]
    return Pages(numbers, frames - len(numbers))


def _is_copy(image: TiffImageFile, frame: int) -> bool:
    image.seek(frame)
    kind = image.tag_v2.get(SUBFILE)
    return (isinstance(kind, int) and bool(kind & 5)) or image.tag_v2.get(OLD_SUBFILE) == 2


def _turn_to(image: Image.Image, source: Source) -> None:
    """Go to the page that is meant."""
    pages = [source.number] if isinstance(source, Page) else _pages(image).numbers
    if len(pages) > 1:
        raise Unusable(f"{source.name} has {len(pages)} pages where one is expected; save each as a file of its own")
    if image.tell() != pages[0] - 1:
        image.seek(pages[0] - 1)


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(ORIENTATION) in range(2, 9)
    except BROKEN:  # a broken tag turns nothing
        return False


def _scaled(values: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """Grey of any depth as RGB in [0, 255]: the image's largest value becomes 255; below 0 becomes 0."""
    grey = np.nan_to_num(values.astype(np.float64), posinf=0.0).clip(min=0.0)
    scaled = np.rint(grey * (255.0 / max(float(grey.max()), 1e-12))).astype(np.uint8)
    return np.repeat(scaled[..., None], 3, axis=2)
