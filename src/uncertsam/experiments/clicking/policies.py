"""Where the next click goes: where the method is most unsure, anywhere, or at the heart of the largest error.

A click is a pixel (x, y) of the picture; who places it does not know its label, but for the oracle. Guided and random
clicks go to the same region, so that what tells them apart is the uncertainty alone.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from uncertsam.metrics.region import roi_half_width
from uncertsam.models.mask_points import centre, corners

Click = tuple[int, int]  # x, y in pixels


def around(truth: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The box of a mask, larger by 2 % of the diagonal on every side, as the region `roi` is."""
    (left, top), (right, bottom) = corners(truth).tolist()
    more, found = roi_half_width(*truth.shape), np.zeros_like(truth)
    found[max(0, top - more) : bottom + more + 1, max(0, left - more) : right + more + 1] = True
    return found


def places(allowed: Bool[np.ndarray, "h w"], clicks: Sequence[Click], reach: int) -> Bool[np.ndarray, "h w"]:
    """The allowed pixels farther than `reach` pixels from every earlier click.

    Where none is left, all that have not been clicked at themselves; no pixel is ever clicked at twice.
    """
    near, hit = (np.zeros(allowed.shape, np.uint8) for _ in range(2))
    for x, y in clicks:
        cv2.circle(near, (x, y), reach, 1, thickness=-1)
        hit[y, x] = 1
    far = allowed & (near == 0) & (hit == 0)
    return far if far.any() else allowed & (hit == 0)


def most_unsure(
    open_: Bool[np.ndarray, "h w"], unsure: Float[np.ndarray, "h w"], rng: np.random.Generator
) -> Click | None:
    """An open pixel with the highest uncertainty, any of them where several have it; None where none is open."""
    if not open_.any():
        return None
    return anywhere(open_ & (unsure == unsure[open_].max()), rng)


def anywhere(open_: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> Click | None:
    """Any open pixel, each as likely; None where none is open."""
    found = np.flatnonzero(open_)
    if not found.size:
        return None
    y, x = divmod(int(found[rng.integers(found.size)]), open_.shape[1])
    return x, y


def error_centre(
    open_: Bool[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]
) -> Click | None:
    """The pixel deepest within an error, of missed object or of false object; None where every open pixel is right."""
    errors = (open_ & truth & ~mask, open_ & mask & ~truth)
    if not any(error.any() for error in errors):
        return None
    return max((centre(error) for error in errors), key=lambda found: found[1])[0]
