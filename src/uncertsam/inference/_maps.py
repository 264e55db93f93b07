"""A safetensors file that grows row by row: its library can only write tensors that are in memory as a whole.

Nor is the file mapped into memory (NumPy's `open_memmap`): a full disk would then kill the process, not raise OSError.
"""

import json
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from itertools import accumulate, pairwise
from pathlib import Path

from jaxtyping import Float32
from torch import Tensor

Maps = Mapping[str, Float32[Tensor, "n h w"]]


class MapWriter(AbstractContextManager["MapWriter"]):
    """Named float32 maps [rows, h, w] of which some rows are added at a time.

    The names and h, w are those of the first rows. The format: the header's length as 8 bytes, the header (JSON, padded
    with spaces to a multiple of 8), then one tensor after the other.
    """

    def __init__(self, path: Path, rows: int) -> None:
        self.path, self.rows, self.filled = path, rows, 0
        self._file = path.open("wb")
        self._places: dict[str, tuple[int, tuple[int, ...]]] = {}  # where each map begins, and the shape of its rows

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.close()
        if kind is None and self.filled != self.rows:
            raise ValueError(f"{self.path} has {self.filled} of {self.rows} rows")

    def add(self, maps: Maps) -> None:
        """The next rows: the same number of every map. Raises ValueError where they are too many, or other maps."""
        count, shapes = len(next(iter(maps.values()))), {name: tuple(values.shape) for name, values in maps.items()}
        self._places = self._places or self._begin(maps)
        expected = {name: (count, *shape) for name, (_, shape) in self._places.items()}
        if shapes != expected or self.filled + count > self.rows:
            raise ValueError(f"{self.path} has {self.filled} of {self.rows} rows and does not go on with {shapes}")
        for name, (begin, shape) in self._places.items():
            self._file.seek(begin + self.filled * 4 * math.prod(shape))
            self._file.write(maps[name].contiguous().numpy().astype("<f4", copy=False).data)
        self.filled += count

    def _begin(self, maps: Maps) -> dict[str, tuple[int, tuple[int, ...]]]:
        shapes = {name: tuple(maps[name].shape[1:]) for name in sorted(maps)}
        ends = list(accumulate((self.rows * 4 * math.prod(shape) for shape in shapes.values()), initial=0))
        spans = dict(zip(shapes, pairwise(ends), strict=True))
        header = {n: {"dtype": "F32", "shape": (self.rows, *shapes[n]), "data_offsets": spans[n]} for n in shapes}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._file.write(len(text).to_bytes(8, "little") + text)
        return {name: (8 + len(text) + spans[name][0], shape) for name, shape in shapes.items()}
