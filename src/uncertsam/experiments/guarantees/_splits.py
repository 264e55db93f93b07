"""Random splits of a dataset's images into those that calibrate and those that test."""

import numpy as np
from jaxtyping import Bool, Int

from uncertsam.base.errors import UserError
from uncertsam.base.rng import numpy_generator

FEWEST = 2  # images: one on each side


def halves(
    dataset: str, images: Int[np.ndarray, " n"], share: float, splits: int, seed: int
) -> Bool[np.ndarray, "splits n"]:
    """Which of the images (ascending ids) calibrate, for each split; about `share` of them, and one at least.

    Every choice of so many images is equally likely, so that calibrate and test images are exchangeable whatever the
    dataset is. They depend on (seed, dataset) and the number of images alone: all methods share them. Raises
    UserError where there are too few images for two sides.
    """
    if len(images) < FEWEST:
        raise UserError(
            f"{dataset} has {len(images)} image(s) with masks, too few to calibrate on one and test on another.",
            "Name datasets with more images in guarantees.datasets.",
        )
    places = np.tile(np.arange(len(images)), (splits, 1))
    order = numpy_generator(seed, "guarantee", dataset).permuted(places, axis=1)
    return order < min(len(images) - 1, max(1, int(share * len(images))))
