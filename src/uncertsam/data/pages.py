"""Picture files and their pages: which are read, how many pages a file has, and what one page holds."""

import io
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from uncertsam.data import tiff
from uncertsam.data.images import BROKEN, Decoded, Photo, Unusable, decode, photo_of, quietly

SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif",
    ".avif", ".avifs", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga",
    ".qoi", ".pcx", ".sgi",
})  # fmt: skip
MOST_MEGAPIXELS = 178  # PIL refuses more, as a file that may be a trap
LOST_PAGES = "Corrupt EXIF data|Invalid APNG"  # PIL takes what it cannot read for the end of the file, and warns


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


def pages_of(file: Path | bytes) -> Pages:
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
        width, height = _size(file, number)
    except Image.DecompressionBombError:
        return f"it has more than {MOST_MEGAPIXELS} megapixels"
    except BROKEN:
        return None
    megapixels = width * height / 1e6
    return f"it has {megapixels:.1f} megapixels, more than `max_megapixels` ({most:g})" if megapixels > most else None


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


def _opened(file: Path | bytes) -> io.BufferedIOBase:
    return io.BytesIO(file) if isinstance(file, bytes) else file.open("rb")


def _counted(file: Path | bytes) -> Pages:
    copies: list[bool] = []
    try:
        with _opened(file) as data:
            copies.extend(tiff.copies(data))
    except (*BROKEN, UserWarning):
        if copies:
            raise
    if copies:  # Pillow cannot go past a page that it does not read
        numbers = [k for k, copy in enumerate(copies, 1) if not copy] or [1]
        return Pages(numbers, len(copies) - len(numbers))
    with ExitStack() as stack:
        try:
            image = stack.enter_context(Image.open(stack.enter_context(_opened(file))))
        except (*BROKEN, UserWarning):
            return Pages([1], 0)
        frames = int(getattr(image, "n_frames", 1))
        return Pages([1], frames - 1) if image.format == "MPO" else Pages(list(range(1, frames + 1)), 0)


def _size(file: Path | bytes, number: int) -> tuple[int, int]:
    """Width and height of a page by the header. Raises what Pillow raises."""
    with _opened(file) as data:
        tags = tiff.tags_of(data, number - 1)
        if tags is not None:
            return tags.size
        data.seek(0)
        with quietly(), Image.open(data) as image:  # elsewhere all pages are of one size
            return image.size
