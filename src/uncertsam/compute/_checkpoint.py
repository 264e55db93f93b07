"""Finished shards on the disk: after a crash they are read, not done again."""

import errno
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncertsam.base.files import remove, written_aside

# a file of another state of the code, or one that a full disk or a dying machine left broken
UNREADABLE = (
    OSError,
    EOFError,
    pickle.UnpicklingError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
)


@contextmanager
def kept_shards(place: Path, key: str) -> Iterator[Path]:
    """The folder `place`/`key` for the finished shards of one call: an attempt that breaks off leaves it to the next.

    place: of all attempts at this call; what others left there with another key is removed. A full disk empties it.
    """
    folder = place / key
    for other in place.glob("*"):  # of other settings: they may be as large as the results themselves
        if other != folder:
            remove(other)
    try:
        yield folder
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remove(folder)  # it may be what fills the disk
        raise
    remove(place)


@dataclass(frozen=True)
class Finished:
    """A file for each finished shard of one call, known by its number and by how many there are.

    folder: of this call alone, so its name tells all that the results depend on. None: nothing is kept.
    """

    folder: Path | None
    count: int

    def numbers(self) -> frozenset[int]:
        """Which shards are finished; a file that cannot be read counts as none."""
        return frozenset(number for number in range(self.count) if self._readable(number))

    def read(self, number: int) -> Any:
        """A finished shard's result. Raises one of `UNREADABLE` where there is none."""
        if self.folder is None:
            raise KeyError(number)
        return pickle.loads(self._path(self.folder, number).read_bytes())

    def write(self, number: int, result: Any) -> bool:
        """Keep a result, whole or not at all; whether it could be kept.

        A full disk costs the next attempt time, but not this one its results.
        """
        if self.folder is None:
            return False
        with suppress(OSError), written_aside(self._path(self.folder, number)) as aside:
            aside.write_bytes(pickle.dumps(result))
            return True
        return False

    def _readable(self, number: int) -> bool:
        try:
            self.read(number)
        except UNREADABLE:
            return False
        return True

    def _path(self, folder: Path, number: int) -> Path:
        return folder / f"{number:07d}-of-{self.count:07d}.pickle"
