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


def _mean(doubt: Values, places: Places) -> float:
    return float(doubt.mean(dtype=np.float64))


def _mean_of_mask(doubt: Values, places: Places) -> float:
    return _mean(doubt[places.mask] if places.mask.size else doubt, places)


def _mean_of_band(doubt: Values, places: Places) -> float:
    return _mean(doubt[places.band] if places.band.size else doubt, places)


def _quantile(doubt: Values, places: Places) -> float:
    place = round(QUANTILE * (doubt.size - 1))
    return float(np.partition(doubt, place)[place])


def _volume(doubt: Values, places: Places) -> float:
    return float(doubt.sum(dtype=np.float64)) / (places.mask.size or doubt.size)


AGGREGATIONS: dict[str, Callable[[Values, Places], float]] = {
    "mean": _mean,  # over the image
    "mask": _mean_of_mask,
    "boundary": _mean_of_band,
    "quantile": _quantile,
    "volume": _volume,  # sum of U over the area of the mask
}
BASELINES = ("iou_head", "stability")  # the model's own: 1 - predicted IoU, 1 - stability score


def scores(doubt: Values, places: Places) -> dict[str, float]:
    """{"score_<aggregation>": value}; NaN where no pixel counts."""
    return {PREFIX + name: of(doubt, places) if doubt.size else float("nan") for name, of in AGGREGATIONS.items()}


def baseline_scores(side: TruthSide, logits: Float[np.ndarray, "h w"], iou: float) -> dict[str, float]:
    """As `scores`, of `BASELINES`. An empty mask is stable. iou: predicted."""
    inner, outer = (np.count_nonzero((logits > end) & side.inside["full"]) for end in (OFFSET, -OFFSET))
    return dict(
        zip((PREFIX + name for name in BASELINES), (1 - iou, 1 - float(ratio(inner, outer, empty=1.0))), strict=True)
    )
