"""All metrics of one mask as a textbook has them: SciPy, scikit-learn, torchmetrics and NumPy, in float64, by sorts."""

import warnings
from collections.abc import Mapping

import cv2
import numpy as np
import torch
from scipy.special import expit
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from torchmetrics.functional.classification import binary_calibration_error

from uncertsam.metrics.boundary import boundary_width
from uncertsam.metrics.calibration import ECE_BINS, PROBABILITY_FLOOR
from uncertsam.metrics.region import TruthSide


def metrics(side: TruthSide, logits: np.ndarray, uncertainty: np.ndarray) -> Mapping[tuple[str, str], float]:
    """{(metric, region): value}, as `measure_mask` gives them. What depends on the truth alone is given here, too."""
    found: dict[tuple[str, str], float] = {}
    predicted = logits > 0
    edges = {ratio: _boundary(predicted, boundary_width(ratio, *predicted.shape)) for ratio in side.boundaries}
    for region, inside in side.inside.items():
        each = _overlaps(predicted[inside], side.truth[inside])
        for ratio, truth in side.boundaries.items():
            each[f"boundary_iou_{ratio}"] = _overlaps(edges[ratio][inside], truth[inside])["iou"]
        each |= _pixels(logits[inside].astype(float), side.truth[inside], uncertainty[inside].astype(float))
        found |= {(name, region): value for name, value in each.items()}
    return found


def _overlaps(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    both, either = float((predicted & truth).sum()), float((predicted | truth).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {"iou": float(np.divide(both, either)), "dice": float(np.divide(2 * both, both + either))}


def _boundary(mask: np.ndarray, depth: int) -> np.ndarray:
    """As boundary IoU's authors do it: eroded pixel by pixel, `depth` times."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    core = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=depth)[1:-1, 1:-1]
    return np.asarray(mask & (core == 0))


def _pixels(logits: np.ndarray, truth: np.ndarray, uncertainty: np.ndarray) -> dict[str, float]:
    probability, wrong = expit(logits), (logits > 0) != truth
    error, bounded = np.abs(probability - truth), np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    calibration = binary_calibration_error(
        torch.from_numpy(probability), torch.from_numpy(truth).long(), n_bins=ECE_BINS, norm="l1"
    )
    return {
        "pearson": float(pearsonr(uncertainty, error)[0]),
        "spearman": float(spearmanr(uncertainty, error)[0]),
        "brier": float(brier_score_loss(truth, probability)),
        "nll": float(log_loss(truth, bounded, labels=[False, True])),
        "ece": float(calibration),
        "auroc": float(roc_auc_score(wrong, uncertainty)),
        **_ranked(wrong[np.argsort(uncertainty, kind="stable")]),
        "mean_u": float(uncertainty.mean()),
        "error_rate": float(wrong.mean()),
    }


def _ranked(wrong: np.ndarray) -> dict[str, float]:
    """From the most certain pixel to the least."""
    count, failed = len(wrong), np.cumsum(wrong)
    kept = np.concatenate([[0], failed]) / count
    return {
        "aurc": float((failed / np.arange(1, count + 1)).mean()),
        "augrc": float(np.trapezoid(kept, dx=1 / count)),
    }
