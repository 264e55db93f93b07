"""Inner boundaries, as boundary IoU counts them (Cheng et al., CVPR 2021)."""

import math

import cv2
import numpy as np
from jaxtyping import Bool


def boundary_width(ratio: float, height: int, width: int) -> int:
    """How many pixels deep the boundary is: ratio * diagonal, rounded, at least 1."""
    return max(1, round(ratio * math.hypot(height, width)))


def inner_boundary(mask: Bool[np.ndarray, "h w"], depth: int) -> Bool[np.ndarray, "h w"]:
    """The pixels of `mask` that `depth` erosions by 3x3 remove; beyond the image is background.

    One erosion by a square of 2 * depth + 1 does the same, and OpenCV runs it as a row and a column pass.
    """
    square = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * depth + 1, 2 * depth + 1))
    core = cv2.erode(mask.view(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0).view(bool)
    boundary: Bool[np.ndarray, "h w"] = mask & ~core
    return boundary
