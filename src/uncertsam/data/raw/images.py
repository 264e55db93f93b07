"""Photos as they come (any orientation, depth, alpha, number of pages) as 8-bit RGB, and JPEG out."""

import io
import shutil
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from uncertsam.data.format import quietly
from uncertsam.data.raw import _tiff
from uncertsam.data.raw.decoding import BROKEN, Decoded, decode
from uncertsam.data.raw.depth import Scale, eight_bits

SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif",
    ".avif", ".avifs", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga",
    ".qoi", ".pcx", ".sgi",
})  # fmt: skip
MOST_MEGAPIXELS = 178  # PIL refuses more, as a file that may be a trap
LOST_PAGES = "Corrupt EXIF data|Invalid APNG"  # PIL takes what it cannot read for the end of the file, and warns

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


class _Pages(NamedTuple):
    """The numbers, from 1, of a file's pages that are pictures of their own, and how many others it holds.

    Those are an MPO's further images (previews, gain maps) and a TIFF's smaller copies and masks of another page.
    """

    numbers: list[int]
    others: int


@dataclass(frozen=True)
class Photo:
    """An image as RGB in [0, 255], what was done to it, and whether its file can stay as it is.

    scale: of a picture of more than 8 bits. orientation: EXIF's, by which it was turned, 1 where it was not. page:
    which of several it is, as a sentence.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    changes: frozenset[Change]
    is_jpeg: bool
    scale: Scale | None = None
    orientation: int = 1
    page: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Which page it is and what was done to it, in sentences; none for a plain picture."""
        told = [text for change, text in SENTENCES.items() if change in self.changes]
        return (*filter(None, [self.page]), *told, *(self.scale.sentences() if self.scale else ()))


def pages_of(file: Path | bytes) -> _Pages:
    """The pages of an image file. Raises Unusable where they cannot be counted.

    Of a file that is broken from its start there is one: whoever reads it says what is wrong.
    """
    try:
        with quietly():
            warnings.filterwarnings("error", LOST_PAGES, UserWarning)
            return _counted(file)
    except (*BROKEN, UserWarning) as error:
        what = "its pages" if isinstance(file, bytes) else f"the pages of {file.name}"
        raise Unusable(f"{what} cannot be counted ({str(error).strip()})") from None


def too_large(source: Source | bytes, most: float, number: int = 1) -> str | None:
    """Why an image file is left out that has more than `most` megapixels, by its header; None where it has not.

    number: of the page, where bytes are given. None too where the header is broken: whoever reads the file says so.
    """
    file, number = (source.file, source.number) if isinstance(source, Page) else (source, number)
    try:
        width, height = size_of(file, number)
    except Image.DecompressionBombError:
        return f"it has more than {MOST_MEGAPIXELS} megapixels"
    except BROKEN:
        return None
    megapixels = width * height / 1e6
    return f"it has {megapixels:.1f} megapixels, more than `max_megapixels` ({most:g})" if megapixels > most else None


def size_of(file: Path | bytes, number: int = 1) -> tuple[int, int]:
    """Width and height of a page by the header. Raises what Pillow raises."""
    with _opened(file) as data:
        tags = _tiff.tags_of(data, number - 1)
        if tags is not None:
            return tags.size
        data.seek(0)
        with quietly(), Image.open(data) as image:  # elsewhere all pages are of one size
            return image.size


def load(source: Source) -> Decoded:
    """What an image file, or one page of it, holds. Raises Unusable with PIL's reason, which names no path.

    So it does where a file of several pages is given without saying which.
    """
    path = source.file if isinstance(source, Page) else source
    try:
        data = path.read_bytes()
        pages = [source.number] if isinstance(source, Page) else pages_of(path).numbers
        if len(pages) > 1:
            raise Unusable(f"{path.name} has {len(pages)} pages where one is expected; save each as a file of its own")
        return decode(data, pages[0])
    except UnidentifiedImageError:
        raise Unusable(f"{path.name} cannot be read as an image (no known format)") from None
    except BROKEN as error:
        raise Unusable(f"{source.name} cannot be read as an image ({error})") from None


def read_photo(source: Source) -> Photo:
    """Read an image file as `photo_of` takes its content. Raises Unusable where the file is broken."""
    return photo_of(load(source))


def photo_of(found: Decoded) -> Photo:
    """An image upright, alpha dropped, more than 8 bits as `uncertsam.data.raw.depth` says.

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


def rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """8-bit colours, alpha dropped. Raises Unusable on colour spaces that PIL cannot convert."""
    try:
        if image.has_transparency_data:
            image = image.convert("RGBA")  # a palette with transparency has to go this way
        return np.array(image.convert("RGB"))
    except BROKEN as error:
        raise Unusable(f"its colours ({image.mode}) cannot be read ({error})") from None


def write_photo(photo: Photo, source: Path, target: Path) -> None:
    """Write a JPEG: the source's own bytes where it is one and nothing changed, otherwise quality 95 and 4:4:4."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if photo.is_jpeg:
        shutil.copyfile(source, target)
    else:
        Image.fromarray(photo.pixels).save(target, "JPEG", quality=95, subsampling=0)


def _shown(found: Decoded) -> tuple[UInt8[np.ndarray, "h w 3"], Scale | None]:
    """Samples as RGB; of 8 bits as they are."""
    assert found.samples is not None
    if found.samples.dtype == np.uint8:
        shown, scale = 255 - found.samples if found.white_is_zero else found.samples, None
    else:
        shown, scale = eight_bits(found.samples, found.nodata, found.white_is_zero)
    return np.repeat(shown, 3, axis=2) if shown.shape[2] == 1 else shown, scale


def _opened(file: Path | bytes) -> _tiff.File:
    return io.BytesIO(file) if isinstance(file, bytes) else file.open("rb")


def _counted(file: Path | bytes) -> _Pages:
    copies: list[bool] = []
    try:
        with _opened(file) as data:
            copies.extend(_tiff.copies(data))
    except (*BROKEN, UserWarning):
        if copies:
            raise
    if copies:  # Pillow cannot go past a page that it does not read
        numbers = [k for k, copy in enumerate(copies, 1) if not copy] or [1]
        return _Pages(numbers, len(copies) - len(numbers))
    with _opened(file) as data, ExitStack() as stack:
        try:
            image = stack.enter_context(Image.open(data))
        except (*BROKEN, UserWarning):
            return _Pages([1], 0)
        frames = int(getattr(image, "n_frames", 1))
        return _Pages([1], frames - 1) if image.format == "MPO" else _Pages(list(range(1, frames + 1)), 0)
