"""Where metrics are taken (full image, or the band around the truth), and all that depends on the truth alone."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Int

from uncertsam.metrics.boundary import boundary_width, inner_boundary

REGIONS = ("full", "roi")
BOUNDARY_RATIOS = (0.02, 0.01)  # of the image's diagonal
ROI_RATIO = 0.02  # of the image's diagonal


@dataclass(frozen=True)
class TruthSide:
    """What all methods share on one mask: build it once with `of`, then measure every method against it.

    inside: the pixels of each region; `full` is every pixel that is not void, `roi` those of them in the truth dilated
    by a square. order: where the pixels of `full` are in the flattened image, those of `roi` first. regions: each
    region among them. ordered: the truth of those pixels. boundaries: the truth's inner boundary for each of
    `BOUNDARY_RATIOS`.
    """

    truth: Bool[np.ndarray, "h w"]
    inside: dict[str, Bool[np.ndarray, "h w"]]
    order: Int[np.ndarray, " n"]
    regions: dict[str, slice]
    ordered: Bool[np.ndarray, " n"]
    boundaries: dict[float, Bool[np.ndarray, "h w"]]

    @classmethod
    def of(cls, truth: Bool[np.ndarray, "h w"], ignore: Bool[np.ndarray, "h w"]) -> "TruthSide":
        """Prepare one true mask; `ignore` marks void pixels, which leave both regions."""
        truth, full = np.ascontiguousarray(truth), np.ascontiguousarray(~ignore)  # decoded masks come column by column
        roi = dilate(truth, roi_half_width(*truth.shape)) & full
        boundaries = {r: inner_boundary(truth, boundary_width(r, *truth.shape)) for r in BOUNDARY_RATIOS}
        band, rest = np.flatnonzero(roi), np.flatnonzero(full & ~roi)
        regions = {"full": slice(None), "roi": slice(band.size)}
        order = np.concatenate([band, rest])
        return cls(truth, {"full": full, "roi": roi}, order, regions, truth.ravel()[order], boundaries)


def roi_half_width(height: int, width: int) -> int:
    """Half the side of the dilating square in pixels: ceil(0.02 * diagonal). Source: the authors' code."""
    return math.ceil(ROI_RATIO * math.hypot(height, width))


def dilate(mask: Bool[np.ndarray, "h w"], half_width: int) -> Bool[np.ndarray, "h w"]:
    """Every pixel with a pixel of `mask` in the square of 2 * half_width + 1 around it."""
    square = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * half_width + 1, 2 * half_width + 1))
    return cv2.dilate(mask.view(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0).view(bool)
