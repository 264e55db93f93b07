"""From a map of doubt to one number per mask, by which bad masks are to be found. A further way is one more line below.

A score grows with doubt. The predicted mask is logit > 0; where it is empty, the whole image stands for it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from uncertsam.metrics._blocks import lookup
from uncertsam.metrics.boundary import boundary_width
from uncertsam.metrics.ranking import ratio
from uncertsam.metrics.region import TruthSide

BAND = 0.01  # half the width of the band around the predicted boundary, as a share of the diagonal
QUANTILE = 0.95
OFFSET = 1.0  # by which the stability score moves the threshold of the logit, as SAM's own mask generator does
PREFIX = "score_"

Values = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Places:
    """Where the predicted mask and the band around its boundary are among the pixels that count, in a side's order."""

    mask: Int[np.ndarray, " m"]
    band: Int[np.ndarray, " k"]

    @classmethod
    def of(cls, side: TruthSide, predicted: Bool[np.ndarray, "h w"]) -> "Places":
        """Of one mask; only the void pixels of `side` matter, not its truth."""
        width = 2 * boundary_width(BAND, *predicted.shape) + 1
        square = cv2.getStructuringElement(cv2.MORPH_RECT, (width, width))
        band = cv2.morphologyEx(predicted.view(np.uint8), cv2.MORPH_GRADIENT, square).view(bool)
        return cls(*(np.flatnonzero(lookup(part.ravel(), side.order)) for part in (predicted, band)))


@dataclass(frozen=True)
class Doubt:
    """U at the pixels that count, its levels (`ranking.levels_of`), and how many pixels each level holds."""

    values: Values
    levels: Int[np.ndarray, " n"]
    counts: Int[np.ndarray, " g"]

    def mean(self, places: Int[np.ndarray, " k"] | None = None) -> float:
        """Over some pixels; over all where there are none of them."""
        values = self.values if places is None or not places.size else self.values[places]
        return float(values.mean(dtype=np.float64))

    def quantile(self, share: float) -> float:
        """The nearest value: that of one pixel, found among those of its level."""
        place, below = round(share * (self.values.size - 1)), np.cumsum(self.counts)
        level = int(np.searchsorted(below, place, side="right"))
        within = place - int(below[level] - self.counts[level])
        return float(np.partition(self.values[self.levels == level], within)[within])


def _volume(doubt: Doubt, places: Places) -> float:
    return doubt.mean() * doubt.values.size / (places.mask.size or doubt.values.size)


AGGREGATIONS: dict[str, Callable[[Doubt, Places], float]] = {
    "mean": lambda doubt, places: doubt.mean(),  # over the image
    "mask": lambda doubt, places: doubt.mean(places.mask),
    "boundary": lambda doubt, places: doubt.mean(places.band),
    "quantile": lambda doubt, places: doubt.quantile(QUANTILE),
    "volume": _volume,  # sum of U over the area of the mask
}
BASELINES = ("iou_head", "stability")  # the model's own: 1 - predicted IoU, 1 - stability score


def scores(doubt: Doubt, places: Places) -> dict[str, float]:
    """{"score_<aggregation>": value}; NaN where no pixel counts."""
    return {
        PREFIX + name: of(doubt, places) if doubt.values.size else float("nan") for name, of in AGGREGATIONS.items()
    }


def baseline_scores(side: TruthSide, logits: Float[np.ndarray, "h w"], iou: float) -> dict[str, float]:
    """As `scores`, of `BASELINES`. An empty mask is stable. iou: predicted."""
    inner, outer = (np.count_nonzero((logits > end) & side.inside["full"]) for end in (OFFSET, -OFFSET))
    return dict(
        zip((PREFIX + name for name in BASELINES), (1 - iou, 1 - float(ratio(inner, outer, empty=1.0))), strict=True)
    )
