"""How items become shards."""

from collections.abc import Sequence
from typing import TypeVar

MOST = 1000  # shards of one call: a file is kept for each, and each is sent by itself

Item = TypeVar("Item")


def cut(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Runs of `size` items, of more where that would make more than `MOST` shards."""
    step = max(size, -(-len(items) // MOST))
    return [items[start : start + step] for start in range(0, len(items), step)]
