"""J&F of video object segmentation: region similarity and boundary accuracy, as the SA-V evaluator defines them."""

import math

import cv2
import numpy as np
from jaxtyping import Bool

RADIUS = 0.008  # of the image's diagonal
Mask = Bool[np.ndarray, "h w"]


def region_similarity(predicted: Mask, truth: Mask) -> float:
    """J, the IoU, in [0, 1]; 1 where both masks are empty."""
    union = np.count_nonzero(predicted | truth)
    return np.count_nonzero(predicted & truth) / union if union else 1.0


def boundary_accuracy(predicted: Mask, truth: Mask) -> float:
    """F, the harmonic mean of precision and recall of the boundaries, in [0, 1]; 1 where neither mask has one.

    A boundary pixel is right within ceil(0.008 * diagonal) pixels of the other mask's boundary.
    """
    ours, theirs = _boundary(predicted), _boundary(truth)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    disc = _disc(math.ceil(RADIUS * math.hypot(*truth.shape)))
    precision, recall = (
        np.count_nonzero(one & cv2.dilate(other.view(np.uint8), disc).view(bool)) / np.count_nonzero(one)
        for one, other in ((ours, theirs), (theirs, ours))
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def j_and_f(predicted: Mask, truth: Mask) -> float:
    """The mean of `region_similarity` and `boundary_accuracy`."""
    return (region_similarity(predicted, truth) + boundary_accuracy(predicted, truth)) / 2


def _boundary(mask: Mask) -> Mask:
    """Pixels that differ from the next one to the right, below, or both; the image's edge is no boundary."""
    more = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    found: Mask = (mask ^ more[:-1, 1:]) | (mask ^ more[1:, :-1]) | (mask ^ more[1:, 1:])
    return found


def _disc(radius: int) -> np.ndarray:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (x**2 + y**2 <= radius**2).astype(np.uint8)
