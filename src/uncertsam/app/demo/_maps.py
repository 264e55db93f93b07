"""What follows from a map of uncertainty: which pixels to set aside, where to click next, which regions to look at."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from uncertsam.experiments.clicking.policies import places

APART = 0.02  # of the diagonal: no suggestion comes nearer to an earlier click, as `clicking.apart` has it
HIGH = 0.75  # of the way from the map's lowest value to its highest: what a region has everywhere
MOST = 5  # regions that are listed

Map = Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Region:
    """A connected part where the map is high. x, y: its peak; share: of the picture's pixels."""

    x: int
    y: int
    peak: float
    mean: float
    share: float


def kept(unsure: Map, share: float) -> Bool[np.ndarray, "h w"]:
    """All but the `share` of the pixels with the highest uncertainty.

    Pixels of equal uncertainty stay or go together, so that fewer may go. A larger share never keeps more.
    """
    count = min(max(round(share * unsure.size), 0), unsure.size)
    if count == 0:
        return np.ones(unsure.shape, bool)
    if count == unsure.size:
        return np.zeros(unsure.shape, bool)
    return unsure <= np.partition(unsure, unsure.size - count - 1, axis=None)[unsure.size - count - 1]


def suggested(unsure: Map, clicks: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The pixel of the highest uncertainty that is not near an earlier click; None where all have been clicked at."""
    reach = round(APART * float(np.hypot(*unsure.shape)))
    open_ = places(np.ones(unsure.shape, bool), clicks, reach)
    if not open_.any():
        return None
    y, x = divmod(int(np.where(open_, unsure, -np.inf).argmax()), unsure.shape[1])
    return x, y


def regions(unsure: Map) -> list[Region]:
    """The parts in the highest quarter of the map's range, those with the most in them first; none on a flat map.

    A single pixel counts for nothing unless there is nothing larger.
    """
    low, high = float(unsure.min()), float(unsure.max())
    if high - low < 1e-6:
        return []
    count, labels, stats, _ = cv2.connectedComponentsWithStats((unsure > low + HIGH * (high - low)).astype(np.uint8))
    total = np.bincount(labels.ravel(), unsure.ravel(), count)
    largest = sorted(range(1, count), key=lambda k: -total[k])[:MOST]
    return [_region(unsure, labels == k, stats[k]) for k in largest if stats[k, cv2.CC_STAT_AREA] > 1 or count == 2]


def _region(unsure: Map, inside: Bool[np.ndarray, "h w"], stats: np.ndarray) -> Region:
    y, x = divmod(int(np.where(inside, unsure, -np.inf).argmax()), unsure.shape[1])
    mean = float(unsure[inside].mean(dtype=np.float64))
    return Region(x, y, float(unsure[y, x]), mean, int(stats[cv2.CC_STAT_AREA]) / unsure.size)
