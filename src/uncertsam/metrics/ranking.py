"""Does uncertainty rank mistakes last? AURC, AUGRC and AUROC from a histogram over levels of uncertainty.

A level is an integer that keeps the order of the uncertainty; one level is one tie. Every measure is the expectation
over random orders within ties, so that it does not depend on the order of the pixels. Levels come from a sort
(`exact_levels`) or from the top bits of float32 (`bit_levels`), which is faster and leaves every measure within 1e-5.
"""

from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Int32, Num, Shaped, UInt32
from scipy.special import digamma

from uncertsam.metrics._blocks import blocks, count, lookup

Ranks = Literal["exact", "bits"]
FINE_BITS = 14  # the last bits of a float32; those before them find its coarse bin
LEVELS = 1 << 17  # about so many bit levels
COARSE = 1 << 13  # enough for a measure beside a method's own: within 1e-4, in a fraction of the time


def levels_of(
    values: Float[np.ndarray, " n"], ranks: Ranks, out: Int32[np.ndarray, " n"] | None = None, levels: int = LEVELS
) -> Int[np.ndarray, " n"]:
    """Integers from 0 in the order of `values`, by the named way; where they are fewer than bit levels, by a sort.

    out: memory for bit levels. levels: about how many of these.
    """
    return exact_levels(values) if ranks == "exact" or values.size <= levels else bit_levels(values, out, levels)


def exact_levels(values: Shaped[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The position of each value among the distinct values, by sorting."""
    if values.dtype != np.float32:
        return np.unique(values, return_inverse=True)[1]
    keys = _ordered_bits(values)
    order = np.argsort(keys.astype(np.uint16), kind="stable")  # NumPy sorts 16 bits by radix, three times as fast
    order = order[np.argsort((keys >> 16).astype(np.uint16)[order], kind="stable")]
    ascending, levels = keys[order], np.empty(values.shape, np.intp)
    levels[order] = np.cumsum(np.diff(ascending, prepend=ascending[:1]) != 0)
    return levels


def _ordered_bits(values: Float[np.ndarray, " n"]) -> UInt32[np.ndarray, " n"]:
    """Integers in the order of float32 values, none of them NaN; one for both zeros."""
    bits = (values + np.float32(0)).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def bit_levels(
    values: Float[np.ndarray, " n"], out: Int32[np.ndarray, " n"] | None = None, levels: int = LEVELS
) -> Int32[np.ndarray, " n"]:
    """About so many levels, few values in each, from the bits of float32 and without a sort.

    The top bits of (value - least) / range find a coarse bin, 512 for every factor of two. Each bin is cut into equal
    parts, as many as its share of all values asks for, and the lower bits find the part.
    """
    low, high = values.min(), values.max()
    bits = np.empty(values.shape, np.int32) if out is None else out
    if low == high:
        bits[:] = 0
        return bits
    for block in blocks(values.size):
        bits[block] = np.abs((values[block] - low) / (high - low)).astype(np.float32, copy=False).view(np.int32)
    return _split_bins(bits, levels)


def _split_bins(bits: Int32[np.ndarray, " n"], levels: int) -> Int32[np.ndarray, " n"]:
    """Levels in the place of the bits."""
    counts = count(bits >> FINE_BITS)
    parts = np.minimum(np.ceil(counts * (levels / bits.size)), 1 << FINE_BITS).astype(np.int32)
    starts = np.cumsum(parts, dtype=np.int32) - parts
    for block in blocks(bits.size):
        coarse, fine = (bits[block] >> FINE_BITS).astype(np.intp), bits[block] & (1 << FINE_BITS) - 1
        fine *= lookup(parts, coarse)
        fine >>= FINE_BITS
        np.add(lookup(starts, coarse), fine, out=bits[block])
    return bits


def histogram(
    levels: Int[np.ndarray, " n"], risks: Shaped[np.ndarray, " n"], counts: Int[np.ndarray, " all"] | None = None
) -> tuple[Int[np.ndarray, " g"], Float[np.ndarray, " g"]]:
    """How many items each level that occurs holds, and the sum of their risks, in ascending uncertainty.

    counts: how many items each level holds, if that is known.
    """
    counts = count(levels) if counts is None else counts
    sums = _counted(levels[risks], counts.size) if risks.dtype == bool else np.bincount(levels, weights=risks)
    occurs = counts > 0
    return (counts, sums) if occurs.all() else (counts[occurs], sums[occurs])


def _counted(levels: Int[np.ndarray, " k"], size: int) -> Float[np.ndarray, " size"]:
    """How often each level occurs: few pixels are wrong, and to count them is exact and faster than to add weights."""
    return np.bincount(levels, minlength=size).astype(np.float64)


def aurc(counts: Int[np.ndarray, "*b g"], risks: Float[np.ndarray, "*b g"]) -> Float[np.ndarray, "*b"]:
    """Area under the risk-coverage curve: the mean over k of the mean risk among the k most certain, lower is better.

    Within a tie of m items the cumulated risk rises on average by r = risk / m per item, from e0 after n0 items, and
    sum_{j=1..m} (e0 + r j) / (n0 + j) = risk + (e0 - r n0) (H(n0 + m) - H(n0)), with H(n) = digamma(n + 1) + const.
    Last axis: levels from certain to uncertain, with counts and summed risks; the axes before it are repeats.
    """
    return ratio(_areas(counts, risks).sum(axis=-1), counts.sum(axis=-1))


def _areas(counts: Int[np.ndarray, "*b g"], risks: Float[np.ndarray, "*b g"]) -> Float[np.ndarray, "*b g"]:
    """What each tie adds to the area of `aurc`, before the division by the number of items."""
    after = np.cumsum(counts, axis=-1)
    before = after - counts
    risk_before = np.cumsum(risks, axis=-1) - risks
    slack = risk_before - ratio(risks, counts, empty=0.0) * before
    return risks + slack * np.diff(digamma(after + 1.0), axis=-1, prepend=digamma(1.0))


def risk_coverage(
    counts: Int[np.ndarray, " g"], risks: Float[np.ndarray, " g"], parts: int
) -> Float[np.ndarray, " parts"]:
    """The risk-coverage curve: its mean within each of so many equal parts of coverage, from certain to uncertain.

    The mean of the parts is `aurc`, for these are differences of its area up to any (also broken) number k of items:
    the whole ties before it, and r j + (e0 - r n0) (H(n0 + j) - H(n0)) of the tie that it cuts, with j = k - n0.
    Arguments as in `aurc`; every level holds an item.
    """
    areas, after = _areas(counts, risks), np.cumsum(counts)
    ends = np.linspace(0, after[-1], parts + 1)
    cut = np.minimum(np.searchsorted(after, ends), len(counts) - 1)
    before, risk_before, area_before = ((np.cumsum(values) - values)[cut] for values in (counts, risks, areas))
    each = (risks / counts)[cut]
    slack = risk_before - each * before
    area = area_before + each * (ends - before) + slack * (digamma(ends + 1.0) - digamma(before + 1.0))
    return np.diff(area) * (parts / after[-1])


def augrc(counts: Int[np.ndarray, "*b g"], risks: Float[np.ndarray, "*b g"]) -> Float[np.ndarray, "*b"]:
    """Area under the generalised risk-coverage curve, in [0, 1/2] for risks in [0, 1], lower is better.

    The risk that a case is both kept and wrong, integrated over coverage from 0 to 1 by trapezoids. For wrong or right
    it equals (1 - AUROC) e (1 - e) + e^2 / 2 with the error rate e. Source: Traub et al., NeurIPS 2024
    (arXiv 2407.01032). Arguments as in `aurc`.
    """
    kept = np.cumsum(risks, axis=-1) - risks / 2
    return ratio((kept * counts).sum(axis=-1), np.square(counts.sum(axis=-1), dtype=np.float64))


def auroc(counts: Int[np.ndarray, "*b g"], failures: Num[np.ndarray, "*b g"]) -> Float[np.ndarray, "*b"]:
    """How often a failure is more uncertain than a success, ties counting half; NaN where there is only one kind.

    Arguments as in `aurc`, with the number of failures as the risk.
    """
    successes = counts - failures
    below = np.cumsum(successes, axis=-1) - successes / 2
    return ratio((failures * below).sum(axis=-1), failures.sum(axis=-1) * successes.sum(axis=-1))


def ratio(part: Any, whole: Any, empty: float = float("nan")) -> Float[np.ndarray, "..."]:
    """part / whole, element by element, and `empty` where `whole` is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    found = np.full(np.broadcast(part, whole).shape, empty)
    np.divide(part, whole, out=found, where=whole != 0)
    return found
