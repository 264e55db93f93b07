"""TIFF files of any type, number of bands, layout and tags, written by the book: what readers are compared with."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np


def tiff(
    samples: np.ndarray,
    photometric: int | None = None,
    extra: Sequence[int] = (),
    orientation: int = 1,
    nodata: str | None = None,
    order: str = "<",
    planar: int = 1,
    deflated: bool = False,
    predictor: int = 1,
    tile: int = 0,
    then: bytes = b"",
) -> bytes:
    """A page of [H, W] or [H, W, bands]. extra: kinds of the bands beyond the colours. tile: its side, 0 for strips.

    then: a file of the same byte order, whose pages follow.
    """
    bands = samples if samples.ndim == 3 else samples[..., None]
    height, width, count = bands.shape
    planes = [bands] if planar == 1 else [bands[..., k : k + 1] for k in range(count)]
    blocks = [_bytes(block, order, predictor) for plane in planes for block in _blocks(plane, tile)]
    blocks = [zlib.compress(block) if deflated else block for block in blocks]
    starts = [(len(then) or 8) + sum(map(len, blocks[:k])) for k in range(len(blocks))]
    kind = {"u": 1, "i": 2, "f": 3}[bands.dtype.kind]
    colours = (2 if count >= 3 else 1) if photometric is None else photometric
    place = {322: (4, [tile]), 323: (4, [tile]), 324: (4, starts), 325: (4, [*map(len, blocks)])} if tile else {
        273: (4, starts), 278: (4, [2]), 279: (4, [*map(len, blocks)])}  # fmt: skip
    entries = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bands.dtype.itemsize * 8] * count),
        259: (3, [8 if deflated else 1]), 262: (3, [colours]), 274: (3, [orientation]), 277: (3, [count]),
        284: (3, [planar]), 317: (3, [predictor]), 338: (3, extra), 339: (3, [kind] * count), **place,
    }  # fmt: skip
    packed = {tag: (type_, struct.pack(f"{order}{len(v)}{'H' if type_ == 3 else 'I'}", *v), len(v))
              for tag, (type_, v) in entries.items() if len(v)}  # fmt: skip
    if nodata is not None:
        packed[42113] = (2, nodata.encode() + b"\0", len(nodata) + 1)
    return _file(b"".join(blocks), packed, order, then)


def _blocks(plane: np.ndarray, tile: int) -> list[np.ndarray]:
    """Strips of two rows, or tiles filled up with zeros."""
    height, width = plane.shape[:2]
    if not tile:
        return [plane[y : y + 2] for y in range(0, height, 2)]
    whole = np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0)))
    return [whole[y : y + tile, x : x + tile] for y in range(0, height, tile) for x in range(0, width, tile)]


def _bytes(block: np.ndarray, order: str, predictor: int) -> bytes:
    ordered = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(order)))
    if predictor == 1:
        return ordered.tobytes()
    if predictor == 2:
        whole = np.ascontiguousarray(block).view(f"u{block.itemsize}")
        differences = np.concatenate([whole[:, :1], whole[:, 1:] - whole[:, :-1]], axis=1)
        return differences.astype(differences.dtype.newbyteorder(order)).tobytes()
    rows, columns, bands = block.shape
    big = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(">"))).view(np.uint8)
    planes = big.reshape(rows, columns * bands, -1).swapaxes(1, 2).reshape(rows, -1, bands)
    return np.concatenate([planes[:, :1], planes[:, 1:] - planes[:, :-1]], axis=1).tobytes()


def _file(data: bytes, packed: dict[int, tuple[int, bytes, int]], order: str, then: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    start = (len(then) or 8) + len(data)
    directory, beyond, after = struct.pack(f"{order}H", len(packed)), b"", start + 2 + 12 * len(packed) + 4
    for tag, (type_, raw, count) in sorted(packed.items()):
        field = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(f"{order}I", after + len(beyond))
        beyond += (raw + b"\0" * (len(raw) % 2)) if len(raw) > 4 else b""
        directory += struct.pack(f"{order}HHI", tag, type_, count) + field
    head = b"II*\0" if order == "<" else b"MM\0*"
    return head + struct.pack(f"{order}I", start) + then[8:] + data + directory + (then[4:8] or b"\0" * 4) + beyond
