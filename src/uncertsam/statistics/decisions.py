"""Intervals of relative AUCs: a bootstrap over clusters (videos, patients, scenes, near-duplicates; else images)."""

import math

import numpy as np

from uncertsam.metrics.decision import Cases, Decision
from uncertsam.statistics.intervals import FEWEST_IMAGES, limits, resamples


def relative_auc(
    decision: Decision, score: Cases, dataset: str, draws: int, seed: int, against: Cases | None = None
) -> dict[str, float | int]:
    """auc, rel_auc, lo, hi (95 %), n (cases) of one score; NaN limits below 5 clusters.

    against: another score; rel_auc, lo and hi are then those of the difference to it, from the same resamples, which
    depend on (seed, dataset) alone.
    """

    def relative(weights: np.ndarray | None) -> np.ndarray:
        found = decision.relative(score, weights)
        return found if against is None else found - decision.relative(against, weights)

    low = high = math.nan
    if decision.clusters >= FEWEST_IMAGES:
        blocks = resamples(dataset, decision.clusters, draws, seed, width=len(score))
        low, high = limits(np.concatenate([relative(block) for block in blocks])[:, None])[:, 0]
    point = {"auc": float(decision.auc(score)[0]), "rel_auc": float(relative(None)[0])}
    return {**point, "lo": float(low), "hi": float(high), "n": len(score)}
