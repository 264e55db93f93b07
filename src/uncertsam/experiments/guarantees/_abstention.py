"""Abstention: of all masks the least certain are set aside, by their mean U; how good are those that are kept?"""

import numpy as np
from jaxtyping import Float, Int

from uncertsam.metrics.ranking import aurc, exact_levels, histogram


def kept(
    unsure: Float[np.ndarray, " n"], iou: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
    """Coverage (a share of the masks) and mean IoU of what is kept, from the most certain masks on to all of them.

    Masks of equal mean U are kept or set aside together: nothing tells them apart.
    """
    counts, sums = histogram(exact_levels(unsure), iou)
    return np.cumsum(counts) / len(iou), np.cumsum(sums) / np.cumsum(counts)


def coverage_at(coverage: Float[np.ndarray, " g"], mean_iou: Float[np.ndarray, " g"], level: float) -> float:
    """The largest coverage at which the mean IoU of what is kept reaches `level`; 0 where it never does."""
    return float(coverage[mean_iou >= level].max(initial=0.0))


def area(unsure: Float[np.ndarray, " n"], iou: Float[np.ndarray, " n"]) -> float:
    """Area under the risk-coverage curve over masks, with 1 - IoU as the risk; lower is better."""
    counts, risks = histogram(exact_levels(unsure), 1 - iou)
    counted: Int[np.ndarray, " g"] = counts
    return float(aurc(counted, risks))
