"""PAvPU: the share of pixels (or patches) that are accurate and certain, or inaccurate and uncertain.

Three variants are in use, all at three thresholds whose values are averaged:

    pixels     uncertain where u > t                            (RUAC's numbers fit this one)
    patches    accurate where half of the patch's pixels are, uncertain where its mean u >= t (Mukhoti & Gal 2018)
    draws      uncertain where a t-test of the drawn p against 1 - p has a p-value above t (BNDL)

A u that says nothing reaches `chance`: print it beside every PAvPU.
"""

import numpy as np
from jaxtyping import Bool, Float, Shaped
from scipy.special import stdtr

THRESHOLDS = (0.01, 0.05, 0.1)
Flags = Bool[np.ndarray, " n"]


def pavpu(accurate: Flags, uncertain: Flags) -> float:
    """In [0, 1]; NaN of nothing."""
    return float(np.mean(accurate != uncertain)) if accurate.size else float("nan")


def chance(accurate: Flags, uncertain: Flags) -> float:
    """The expected PAvPU of as many uncertain pixels, drawn at random; 1/2 only where half of them are uncertain."""
    if not accurate.size:
        return float("nan")
    right, flagged = accurate.mean(), uncertain.mean()
    return float(right * (1 - flagged) + (1 - right) * flagged)


def pixel_pavpu(accurate: Flags, u: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """The mean over `THRESHOLDS`, and the mean chance. u: in [0, 1], of the pixels of a region."""
    return _averaged(accurate, [u > t for t in THRESHOLDS])


def patch_pavpu(
    accurate: Bool[np.ndarray, "h w"], u: Float[np.ndarray, "h w"], inside: Bool[np.ndarray, "h w"], side: int = 4
) -> tuple[float, float]:
    """As `pixel_pavpu`, of patches of `side` pixels. inside: the region; a patch is what lies of it in the region."""
    weight, right, doubt = (_patch_sums(map_ * inside, side) for map_ in (np.ones(u.shape), accurate, u))
    some = weight > 0
    right, doubt = right[some] / weight[some], doubt[some] / weight[some]
    return _averaged(right >= 0.5, [doubt >= t for t in THRESHOLDS])


def drawn_pavpu(accurate: Flags, draws: Float[np.ndarray, "s n"]) -> tuple[float, float]:
    """As `pixel_pavpu`. draws: probabilities of each pixel, two draws or more."""
    p_value = _p_value(draws)
    return _averaged(accurate, [p_value > t for t in THRESHOLDS])


def _averaged(accurate: Flags, uncertain: list[Flags]) -> tuple[float, float]:
    found, expected = (np.mean([measure(accurate, flags) for flags in uncertain]) for measure in (pavpu, chance))
    return float(found), float(expected)


def _patch_sums(values: Shaped[np.ndarray, "h w"], side: int) -> Float[np.ndarray, "rows columns"]:
    """Patches at the right and lower edge are cut off by the image."""
    height, width = values.shape
    padded = np.pad(values.astype(np.float64), ((0, -height % side), (0, -width % side)))
    return padded.reshape(padded.shape[0] // side, side, -1, side).sum((1, 3))


def _p_value(draws: Float[np.ndarray, "s n"]) -> Float[np.ndarray, " n"]:
    """Two-sided, of Student's test of two samples, p and 1 - p, whose variances are one."""
    count, difference = len(draws), np.abs(2 * draws.mean(0, dtype=np.float64) - 1)
    error = np.sqrt(2 * draws.var(0, ddof=1, dtype=np.float64) / count)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: np.ndarray = 2 * stdtr(2 * count - 2, -difference / error)
    return np.where(error > 0, found, np.where(difference > 0, 0.0, 1.0))
