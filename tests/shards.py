"""Functions of one shard for tests of the engine: here, where a worker can import them within a blink."""

import os
import signal
import sys
import time
from pathlib import Path

from uncertsam.base.errors import UserError


def square(shard: int) -> float:
    """Later shards are quicker, so that they come back first."""
    time.sleep(max(0.0, 0.03 * (5 - shard)))
    return shard**2 / 7


def noted(folder: Path, shard: int) -> int:
    """Leaves a file for every time that it is called."""
    (folder / f"{shard}.{time.time_ns()}").touch()
    return 10 * shard


def times(folder: Path) -> list[int]:
    """Which shards `noted` was called with, sorted."""
    return sorted(int(path.name.split(".")[0]) for path in folder.iterdir())


def exits_once(folder: Path, shard: int) -> int:
    return _ends(folder, shard, lambda: os._exit(3))


def is_killed_once(folder: Path, shard: int) -> int:
    return _ends(folder, shard, lambda: os.kill(os.getpid(), signal.SIGKILL))


def always_exits(folder: Path, shard: int) -> int:
    if shard == 1:
        (folder / f"{shard}.{time.time_ns()}").touch()
        os._exit(3)
    return shard


def _ends(folder: Path, shard: int, end) -> int:
    first = not list(folder.glob(f"{shard}.*"))
    result = noted(folder, shard)
    if shard == 2 and first:
        end()
    return result


def slowly(folder: Path, shard: int) -> int:
    """Tells its parent as well, which on a Ray cluster is its node."""
    (folder / f"{shard}.{time.time_ns()}.{os.getppid()}").touch()
    time.sleep(1.0)
    return 10 * shard


def refuses(shard: int) -> int:
    """Shard 5 fails at once, shard 2 later, though it is the first in order."""
    time.sleep(0.5 if shard == 2 else 0)
    if shard in (2, 5):
        raise UserError(f"Shard {shard} is bad.", "Mend it.")
    return shard


def divides(shard: int) -> float:
    return 1 / shard


class Awkward(Exception):
    """Cannot be made again from its text."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__("awkward")


def raises_awkwardly(shard: int) -> int:
    raise Awkward(shard, shard)


def fails_at_three(folder: Path, shard: int) -> int:
    """Until a file `mended` is there."""
    noted(folder, shard)
    if shard == 3 and not (folder.parent / "mended").exists():
        raise UserError("Shard 3 is bad.", "Mend it.")
    return 10 * shard


def threads(shard: int) -> tuple[int, str]:
    import torch

    return torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]


def sleeps(folder: Path, seconds: float, shard: int) -> int:
    (folder / f"{os.getpid()}").touch()
    time.sleep(seconds)
    return shard


def interrupted(folder: Path, backend: str, seconds: float) -> None:
    """A command of its own, to be interrupted while its shards sleep."""
    from functools import partial

    from uncertsam.compute import Engine, map_shards

    map_shards(partial(sleeps, folder, seconds), range(4), Engine(backend=backend, workers=2))


if __name__ == "__main__":
    import shards  # by its name, under which a worker finds it

    from uncertsam.base.stage import guarded

    seconds = float((*sys.argv, "60")[3])
    guarded(shards.interrupted, folder=Path(sys.argv[1]), backend=sys.argv[2], seconds=seconds)
