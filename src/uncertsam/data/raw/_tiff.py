"""TIFF's samples of any type and number of bands, where Pillow reads none of them, or 8 bits of each.

Pillow unpacks the strips or tiles as bytes; what these mean is told here by the tags, as TIFF 6.0 defines them.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Shaped
from PIL import Image, TiffImagePlugin

from uncertsam.data.format import quietly

SUBFILE, OLD_SUBFILE = 254, 255  # mark a smaller copy of another page, or its transparency
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, ORIENTATION = 256, 257, 258, 259, 262, 273, 274
CHANNELS, ROWS, COUNTS, PLANAR, PREDICTOR = 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, EXTRA, FORMAT, GDAL_NODATA = 322, 323, 324, 325, 338, 339, 42113
UNPACKED = (1, 5, 8, 32773, 32946, 34925, 50000)  # none, LZW, deflate, PackBits, deflate, LZMA, zstd
BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, LookupError, TypeError, ZeroDivisionError)
ASSOCIATED = 1  # alpha by which the colours are multiplied
Samples = Shaped[np.ndarray, "h w c"]
File = io.BytesIO | io.BufferedReader


@dataclass(frozen=True)
class Tags:
    """What one page says of itself. values: numbers by tag. order: "<" or ">". offset: of its directory."""

    values: dict[int, tuple[int, ...]]
    order: str
    nodata: float | None
    offset: int

    def one(self, tag: int, default: int = 0) -> int:
        return self.values.get(tag, (default,))[0]

    @property
    def size(self) -> tuple[int, int]:
        """Width, height."""
        return self.one(WIDTH), self.one(HEIGHT)

    @property
    def orientation(self) -> int:
        return self.one(ORIENTATION, 1)

    @property
    def white_is_zero(self) -> bool:
        return self.one(PHOTOMETRIC, 1) == 0

    @property
    def alpha(self) -> int | None:
        """Which band is alpha, if any."""
        base = 3 if self.one(PHOTOMETRIC) == 2 else 1
        extra = self.values.get(EXTRA, ())
        return next((base + i for i, kind in enumerate(extra) if kind in (1, 2)), None)

    @property
    def associated(self) -> bool:
        return self.alpha is not None and ASSOCIATED in self.values[EXTRA]

    @property
    def dtype(self) -> np.dtype | None:
        """Of one sample; None where samples differ, or are packed or complex."""
        bits, kinds = set(self.values.get(BITS, (1,))), set(self.values.get(FORMAT, (1,)))
        kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(min(kinds))
        width = min(bits) // 8
        alike = len(bits) == len(kinds) == 1 and min(bits) in (8, 16, 32, 64)
        return np.dtype(f"{self.order}{kind}{width}") if alike and kind and f"{kind}{width}" != "f1" else None

    @property
    def beyond_pillow(self) -> bool:
        """Whether Pillow loses something of it, or refuses it; and `samples` reads it."""
        if self.dtype is None or self.one(PHOTOMETRIC, 1) > 2 or self.one(COMPRESSION, 1) not in UNPACKED:
            return False
        bands = self.one(CHANNELS, 1)
        many = bands > 6 or (bands > 2 and self.one(PHOTOMETRIC, 1) < 2)
        return self.dtype.str[1:] != "u1" or many


def tags_of(file: File, page: int = 0) -> Tags | None:
    """The tags of one page; None where the file is no TIFF, has no such page, or the page's directory is broken."""
    try:
        with quietly():
            offset, directory = next(islice(_directories(file), page, None))
            order = "<" if file.seek(0) == 0 and file.read(2) == b"II" else ">"
            read = {tag: directory.get(tag) for tag in (*range(WIDTH, 340), GDAL_NODATA) if tag in directory}
    except (*BROKEN, StopIteration):
        return None
    numbers = {tag: value if isinstance(value, tuple) else (value,) for tag, value in read.items()}
    whole = {tag: value for tag, value in numbers.items() if all(isinstance(v, int) for v in value)}
    return Tags(whole, order, number(read.get(GDAL_NODATA)), offset)


def copies(file: File) -> Iterator[bool]:
    """Of each page whether it is a smaller copy or a mask of another; none where the file is no TIFF.

    Raises what Pillow raises, and warns as Pillow does where a directory is cut off.
    """
    for _, directory in _directories(file):
        kind = directory.get(SUBFILE)
        yield (isinstance(kind, int) and bool(kind & 5)) or directory.get(OLD_SUBFILE) == 2


def alone(data: bytes, tags: Tags) -> bytes:
    """The file with one of its pages as the first. Pillow cannot go to a page past one that it does not read."""
    large = data[2] == 43
    head = data[: 8 if large else 4] + struct.pack(f"{tags.order}{'Q' if large else 'I'}", tags.offset)
    return head + data[len(head) :]


def _directories(file: File) -> Iterator[tuple[int, TiffImagePlugin.ImageFileDirectory_v2]]:
    """Where each page's directory lies, and the directory: one object, which goes from page to page."""
    file.seek(0)
    head = file.read(16)
    if not head.startswith((b"II", b"MM")) or head[:4] not in TiffImagePlugin.PREFIXES:
        return
    directory = TiffImagePlugin.ImageFileDirectory_v2(head[: 16 if head[2] == 43 or head[3] == 43 else 8])
    known: set[int] = set()
    while directory.next and directory.next not in known:
        offset = directory.next
        known.add(offset)
        file.seek(offset)
        directory.load(file)
        yield offset, directory


def samples(data: bytes, tags: Tags) -> Samples:
    """Every band as it is stored, in the machine's byte order; not turned. Raises ValueError on a broken file."""
    assert tags.dtype is not None
    bands, planes = tags.one(CHANNELS, 1), 1 if tags.one(PLANAR, 1) == 1 else tags.one(CHANNELS, 1)
    try:
        parts = [_plane(data, tags, plane, planes, bands // planes) for plane in range(planes)]
    except BROKEN as error:
        raise ValueError(f"its samples cannot be read: {error}") from None
    return np.concatenate(parts, axis=2)


def _plane(data: bytes, tags: Tags, plane: int, planes: int, bands: int) -> Samples:
    """The bands of one plane: its bytes, presented to Pillow as a grey picture of 8 bits, and what they mean."""
    assert tags.dtype is not None
    tiled = TILE_OFFSETS in tags.values
    across = tags.one(TILE_WIDTH) if tiled else tags.one(WIDTH)
    width = -(-tags.one(WIDTH) // across) * across  # whole tiles
    pixel = bands * tags.dtype.itemsize
    entries: dict[int, Sequence[int]] = {WIDTH: [width * pixel], BITS: [8], PHOTOMETRIC: [1], CHANNELS: [1]}
    entries |= {HEIGHT: [tags.one(HEIGHT)], COMPRESSION: [tags.one(COMPRESSION, 1)]}
    if tiled:
        entries |= {TILE_WIDTH: [across * pixel], TILE_HEIGHT: [tags.one(TILE_HEIGHT)]}
    else:
        entries[ROWS] = [min(tags.one(ROWS, tags.one(HEIGHT)), tags.one(HEIGHT))]
    for tag in (TILE_OFFSETS, TILE_COUNTS) if tiled else (OFFSETS, COUNTS):
        values = tags.values[tag]
        each = len(values) // planes
        entries[tag] = values[plane * each : (plane + 1) * each]
    blocks = _unpacked(data, entries).reshape(tags.one(HEIGHT), -1, across * pixel)
    found = _restored(blocks, tags.dtype, bands, tags.one(PREDICTOR, 1))
    return found.reshape(tags.one(HEIGHT), width, bands)[:, : tags.one(WIDTH)]


def _unpacked(data: bytes, entries: dict[int, Sequence[int]]) -> np.ndarray:
    """The bytes of a picture, row by row, whose directory is put behind the file's own data."""
    start = len(data) + len(data) % 2
    after = start + 2 + 12 * len(entries) + 4
    directory, beyond = struct.pack("<H", len(entries)), b""
    for tag, values in sorted(entries.items()):
        raw = struct.pack(f"<{len(values)}I", *values)
        field = raw if len(raw) == 4 else struct.pack("<I", after + len(beyond))
        beyond += raw if len(raw) > 4 else b""
        directory += struct.pack("<HHI", tag, 4, len(values)) + field
    whole = b"II*\0" + struct.pack("<I", start) + data[8:] + b"\0" * (len(data) % 2) + directory + b"\0" * 4 + beyond
    with TiffImagePlugin.TiffImageFile(io.BytesIO(whole)) as image:
        image.im = Image.new("L", image.size).im  # Pillow's limit is for pixels, and these are bytes
        return np.array(image)


def _restored(blocks: np.ndarray, dtype: np.dtype, bands: int, predictor: int) -> np.ndarray:
    """Bytes [H, tiles across, bytes] as samples [H, tiles across, pixels, bands], their prediction undone."""
    rows, across = blocks.shape[:2]
    if predictor == 3:  # differences of bytes, the most significant bytes of all samples first
        sums = np.cumsum(blocks.reshape(rows, across, -1, bands), axis=2, dtype=np.uint8)
        planes = sums.reshape(rows, across, dtype.itemsize, -1).swapaxes(2, 3)
        values = np.ascontiguousarray(planes).view(dtype.newbyteorder(">"))
        return values.reshape(rows, across, -1, bands).astype(dtype.newbyteorder("="))
    values = blocks.view(dtype).astype(dtype.newbyteorder("=")).reshape(rows, across, -1, bands)
    if predictor == 2:
        whole = np.dtype(f"u{dtype.itemsize}")
        values = np.cumsum(values.view(whole), axis=2, dtype=whole).view(values.dtype)
    return values


def number(text: object) -> float | None:
    """The number that a tag of text holds; None where it holds none."""
    try:
        return float(str(text).strip("\0 ")) if text else None
    except ValueError:
        return None
