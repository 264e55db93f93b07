"""What was promised and what came of it, as a tidy table: a row per number.

part          calibrated_on               setting     metric
temperature   the dataset itself, or all  -           temperature; nll, ece, brier: before; nll_scaled ...: after
risk          the dataset itself          alpha       fnr, bound, everything, probability, of_object, of_image
shift         another dataset             alpha       fnr, everything, of_object, of_image
plain         -                           -           fnr, of_object, of_image: of the mask P >= 0.5
whole         -                           -           fnr, of_object, of_image: of the whole image as the answer
abstention    -                           level       coverage
abstention    -                           -           iou, aurc: over all masks
kept          -                           coverage    iou of the most certain masks, so many tenths of them

fnr: the mean share of an object that the set misses; of_object, of_image: the set's area over the object's and the
image's; each a mean over an image's masks, then over images. probability: the threshold; everything: the share of the
splits in which no threshold is admitted. value: the mean over splits; low, high: 95 % of the splits lie between;
numbers that no split enters have neither. n_calibrate, n_test: images.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from uncertsam.config.guarantees import Guarantees
from uncertsam.config.sections import ALL, refuse_reserved
from uncertsam.experiments.guarantees import _abstention as abstention
from uncertsam.experiments.guarantees import _temperature as temperature
from uncertsam.experiments.guarantees import risk
from uncertsam.experiments.guarantees._histograms import EDGES, PLAIN, Pool
from uncertsam.experiments.guarantees._splits import halves
from uncertsam.statistics.intervals import FEWEST_IMAGES, DatasetFacts
from uncertsam.statistics.schema import COUNT, FLAG, NUMBER, WORD, Schema

KEYS = ["part", "dataset", "calibrated_on", "method", "setting", "metric"]
_SHARES = ("fnr", "of_image", "everything", "probability", "brier", "brier_scaled", "ece", "ece_scaled", "iou", "aurc",
           "coverage")  # fmt: skip
GUARANTEES = Schema(
    "guarantees.csv",
    "Run the guarantee stage.",
    {**dict.fromkeys(KEYS, WORD), "setting": NUMBER, "value": NUMBER, "low": NUMBER, "high": NUMBER,
     "n_calibrate": COUNT, "n_test": COUNT, "note": WORD, "synthetic": FLAG, "quality": WORD},
    KEYS,
    ranges=dict.fromkeys(_SHARES, (0.0, 1.0)),
    decimals=8,
)  # fmt: skip
COLUMNS = list(GUARANTEES.columns)
NEITHER = ""
TENTHS = np.arange(1, 11) / 10
Row = dict[str, str | float | int]


@dataclass(frozen=True)
class _Where:
    """What a number was calibrated on and for; n_test: images, None for those that do not calibrate."""

    calibrated_on: str = NEITHER
    setting: float = float("nan")
    n_calibrate: int = 0
    n_test: int | None = None


NOWHERE = _Where()


@dataclass(frozen=True)
class _Bed:
    """One dataset's masks under one method, with its splits; what every part needs of them is worked out once."""

    dataset: str
    method: str
    pool: Pool
    calibrate: Bool[np.ndarray, "splits n_images"]

    @property
    def n(self) -> int:
        """Calibrate images."""
        return int(self.calibrate[0].sum())

    @cached_property
    def missed(self) -> Float[np.ndarray, "n_images thresholds"]:
        """The loss of each image at each threshold."""
        return self.pool.means(self.pool.missed())

    @cached_property
    def sizes(self) -> dict[str, Float[np.ndarray, "n_images thresholds"]]:
        """The set's area over the object's, and over the image's, of each image at each threshold."""
        areas, counts = self.pool.areas(), self.pool.counts
        whole = {"of_object": counts[:, 1].sum(axis=1), "of_image": counts.sum(axis=(1, 2))}
        return {name: self.pool.means(areas / size[:, None]) for name, size in whole.items()}

    @property
    def told(self) -> dict[str, Float[np.ndarray, "n_images thresholds"]]:
        """What is told of a threshold."""
        return {"fnr": self.missed, **self.sizes}

    @cached_property
    def scores(self) -> Float[np.ndarray, "3 n_images temperatures"]:
        """See `temperature.scores`."""
        return temperature.scores(self.pool)


def rows(
    pools: Mapping[tuple[str, str], Pool], facts: Mapping[str, DatasetFacts], knobs: Guarantees, seed: int
) -> pd.DataFrame:
    """The table of `COLUMNS` from {(dataset, method): pool}; all methods of a dataset have the same images.

    Raises UserError where a dataset has too few images to be split.
    """
    refuse_reserved(sorted({name for name, _ in pools}), "guarantees", "Give it another name in params.yaml.")
    beds = [
        _Bed(dataset, method, pool, halves(dataset, pool.images, knobs.calibrate, knobs.splits, seed))
        for (dataset, method), pool in sorted(pools.items())
    ]
    found = pd.DataFrame([row for bed in beds for row in _alone(bed, knobs)] + list(_together(beds, knobs)))
    images = {bed.dataset: len(bed.pool.images) for bed in beds}
    found["note"] = ["n too small" if images[d] < FEWEST_IMAGES else "" for d in found["dataset"]]
    found["synthetic"] = [facts[d].synthetic for d in found["dataset"]]
    found["quality"] = [facts[d].quality for d in found["dataset"]]
    return found[COLUMNS].sort_values(KEYS, ignore_index=True)


def _alone(bed: _Bed, knobs: Guarantees) -> Iterator[Row]:
    """All that is calibrated on the dataset itself, or on nothing."""
    yield from _temperature(bed, bed.dataset, temperature.fitted(bed.scores[0], bed.calibrate))
    for alpha in knobs.alphas:
        yield from _risk(bed, alpha)
    for part, place in ("plain", PLAIN), ("whole", 0):
        for metric, values in bed.told.items():
            yield _row(part, bed, metric, [values[:, place].mean()])
    yield from _abstention(bed, knobs.levels)


def _together(beds: list[_Bed], knobs: Guarantees) -> Iterator[Row]:
    """All that is calibrated elsewhere: another dataset's threshold, and one temperature for all datasets."""
    for method in sorted({bed.method for bed in beds}):
        mine = [bed for bed in beds if bed.method == method]
        nll = sum(bed.calibrate @ bed.scores[0] for bed in mine)
        for bed in mine:
            yield from _temperature(bed, ALL, np.argmin(nll, axis=1))
            for other in (b for b in mine if b is not bed):
                for alpha in knobs.alphas:
                    yield from _shift(bed, other, alpha)


def _temperature(bed: _Bed, source: str, place: Int[np.ndarray, " splits"]) -> Iterator[Row]:
    test, masks = ~bed.calibrate, bed.pool.masks_of
    before = temperature.on_test(bed.scores, masks, test, np.full_like(place, temperature.UNSCALED))
    after = temperature.on_test(bed.scores, masks, test, place)
    where = _Where(source, n_calibrate=bed.n)
    yield _row("temperature", bed, "temperature", temperature.TEMPERATURES[place], where)
    for name, plain, scaled in zip(temperature.SCORES, before, after, strict=True):
        yield _row("temperature", bed, name, plain, where)
        yield _row("temperature", bed, f"{name}_scaled", scaled, where)


def _risk(bed: _Bed, alpha: float) -> Iterator[Row]:
    place, test = risk.calibrated(bed.missed, bed.calibrate, alpha), ~bed.calibrate
    where = _Where(bed.dataset, alpha, bed.n)
    for metric, values in bed.told.items():
        yield _row("risk", bed, metric, risk.on_test(values, test, place), where)
    yield _row("risk", bed, "bound", [risk.bound(bed.n, alpha)], where)
    yield _row("risk", bed, "everything", (place == 0).astype(float), where)
    yield _row("risk", bed, "probability", _probability(place), where)


def _shift(bed: _Bed, source: _Bed, alpha: float) -> Iterator[Row]:
    """The thresholds of another dataset's splits on all images of this one."""
    place = risk.calibrated(source.missed, source.calibrate, alpha)
    where = _Where(source.dataset, alpha, source.n, len(bed.pool.images))
    for metric, values in bed.told.items():
        yield _row("shift", bed, metric, values.mean(axis=0)[place], where)
    yield _row("shift", bed, "everything", (place == 0).astype(float), where)


def _abstention(bed: _Bed, levels: Iterable[float]) -> Iterator[Row]:
    coverage, iou = abstention.kept(bed.pool.unsure, bed.pool.iou)
    for level in levels:
        yield _row("abstention", bed, "coverage", [abstention.coverage_at(coverage, iou, level)], _Where(setting=level))
    yield _row("abstention", bed, "iou", [iou[-1]])
    yield _row("abstention", bed, "aurc", [abstention.area(bed.pool.unsure, bed.pool.iou)])
    for share in TENTHS:
        yield _row("kept", bed, "iou", [iou[np.searchsorted(coverage, share - 1e-9)]], _Where(setting=float(share)))


def _probability(place: Int[np.ndarray, " splits"]) -> Float[np.ndarray, " splits"]:
    """A threshold as a probability; the whole image is P >= 0."""
    return np.where(place == 0, 0.0, 1 / (1 + np.exp(-EDGES[place])))


def _row(part: str, bed: _Bed, metric: str, values: Iterable[float], where: _Where = NOWHERE) -> Row:
    """One row from the values of all splits, or from the one value that no split enters."""
    found = np.asarray(values, float)
    low, high = np.quantile(found, [0.025, 0.975]) if len(found) > 1 else (np.nan, np.nan)
    n_test = len(bed.pool.images) - where.n_calibrate if where.n_test is None else where.n_test
    named = {"part": part, "dataset": bed.dataset, "calibrated_on": where.calibrated_on, "method": bed.method}
    counts = {"setting": where.setting, "n_calibrate": where.n_calibrate, "n_test": n_test}
    return {**named, "metric": metric, "value": float(found.mean()), "low": low, "high": high, **counts}
