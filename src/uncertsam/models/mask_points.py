"""Points of a mask, in pixels, of which prompts are made."""

import cv2
import numpy as np
from jaxtyping import Bool

Mask = Bool[np.ndarray, "h w"]


def centre(error: Mask) -> tuple[tuple[int, int], float]:
    """The pixel (x, y) farthest from the border of an error region, and how far that is [px]."""
    depth = cv2.distanceTransform(np.pad(error.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return (int(x), int(y)), float(depth.max())


def corners(truth: Mask) -> np.ndarray:
    """The inclusive box as two points [2, 2], x before y."""
    ys, xs = np.nonzero(truth)
    return np.array([[xs.min(), ys.min()], [xs.max(), ys.max()]])
