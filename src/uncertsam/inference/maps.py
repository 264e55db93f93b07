"""A safetensors file that grows row by row: its library can only write tensors that are in memory as a whole."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from jaxtyping import Float32
from torch import Tensor

Maps = Mapping[str, Float32[Tensor, "n h w"]]


class MapWriter:
    """Named float32 maps [rows, h, w] of which some rows are added at a time; a context manager.

    The names and h, w are those of the first rows. The format: the header's length as 8 bytes, the header (JSON, padded
    with spaces to a multiple of 8), then one tensor after the other.
    """

    def __init__(self, path: Path, rows: int) -> None:
        self.path, self.rows, self.filled = path, rows, 0
        self._file: BinaryIO | None = None
        self._starts: dict[str, int] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def __enter__(self) -> "MapWriter":
        self._file = self.path.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._file is not None
        self._file.close()
        if kind is None and self.filled != self.rows:
            raise ValueError(f"{self.path} has {self.filled} of {self.rows} rows")

    def add(self, maps: Maps) -> None:
        """The next rows: the same number of every map. Raises ValueError where they are too many, or other maps."""
        assert self._file is not None
        if not self._starts:
            self._begin(maps)
        shapes = {name: tuple(values.shape) for name, values in maps.items()}
        counts = {shape[0] for shape in shapes.values()}
        same = {name: shape[1:] for name, shape in shapes.items()} == self._shapes
        if not same or len(counts) != 1 or self.filled + max(counts) > self.rows:
            raise ValueError(f"{self.path} has {self.filled} of {self.rows} rows and does not go on with {shapes}")
        for name, values in maps.items():
            self._file.seek(self._starts[name] + self.filled * 4 * math.prod(self._shapes[name]))
            self._file.write(values.contiguous().numpy().astype("<f4", copy=False).data)
        self.filled += counts.pop()

    def _begin(self, maps: Maps) -> None:
        assert self._file is not None
        header, end = {}, 0
        for name in sorted(maps):
            self._shapes[name] = tuple(maps[name].shape[1:])
            start, end = end, end + self.rows * 4 * math.prod(self._shapes[name])
            header[name] = {"dtype": "F32", "shape": (self.rows, *self._shapes[name]), "data_offsets": (start, end)}
            self._starts[name] = start
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._file.write(len(text).to_bytes(8, "little") + text)
        self._starts = {name: 8 + len(text) + start for name, start in self._starts.items()}
