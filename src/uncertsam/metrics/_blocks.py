"""Pixels in blocks that stay in a core's cache, where a dozen passes of NumPy cost little more than one."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int, Shaped

BLOCK = 1 << 15  # pixels; the fastest of 2^12 to 2^16 with 1 MB of cache


def blocks(size: int, block: int = BLOCK) -> Iterator[slice]:
    """Slices that together cover `size` items, in their order."""
    return (slice(start, min(start + block, size)) for start in range(0, size, block))


def lookup(
    table: Shaped[np.ndarray, " g"], places: Int[np.ndarray, " n"], out: Shaped[np.ndarray, " n"] | None = None
) -> Shaped[np.ndarray, " n"]:
    """`table[places]` for places that are known to be there: NumPy need not check each."""
    return table.take(places, mode="clip", out=out)


def count(places: Int[np.ndarray, " n"]) -> Int[np.ndarray, " g"]:
    """How often each number from 0 to the largest occurs: `numpy.bincount`, which would copy all of them as int64."""
    counts = np.zeros(int(places.max(initial=-1)) + 1, np.intp)
    for block in blocks(
        places.size, max(16 * BLOCK, counts.size)
    ):  # each block adds as many numbers as there are counts
        counts += np.bincount(places[block], minlength=counts.size)
    return counts
