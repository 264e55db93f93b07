"""Means with intervals: a bootstrap over images, because masks of one image are not independent.

Resamples depend on (seed, dataset) alone, so all methods of a dataset share them and differences are paired.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from uncertsam.base.rng import numpy_generator
from uncertsam.data.format import Split
from uncertsam.metrics.ranking import ratio
from uncertsam.statistics.schema import COUNT, FLAG, NUMBER, WORD, Schema

LEVEL = 0.95
FEWEST_IMAGES = 5
CELL = ["dataset", "method", "metric", "region"]
INTERVALS = Schema(
    "intervals.csv",
    "Run the tabulate stage.",
    {**dict.fromkeys(CELL, WORD), **dict.fromkeys(("mean_masks", "mean_images", "low", "high"), NUMBER),
     **dict.fromkeys(("n_images", "n_masks", "n_nan"), COUNT), "detectable": NUMBER, "note": WORD, "synthetic": FLAG,
     "quality": WORD},
    CELL,
    between="mean_masks",
)  # fmt: skip
COLUMNS = list(INTERVALS.columns)
BLOCK = 1 << 20  # numbers held at a time


@dataclass(frozen=True)
class DatasetFacts:
    """What stands beside every number of a dataset: is it synthetic, and who made its labels (or "mixed")."""

    synthetic: bool
    quality: str


def facts_of(split: Split) -> DatasetFacts:
    """The facts of a benchmark split, over its images that have masks."""
    qualities = {image.quality for image in split if split.annotations[image.id]}
    quality = "mixed" if len(qualities) > 1 else next(iter(qualities), "unknown")
    return DatasetFacts(bool(split.info.get("synthetic", False)), quality)


def intervals(table: pd.DataFrame, facts: Mapping[str, DatasetFacts], draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """One row per (dataset, method, metric, region) of the long table, with the columns of `COLUMNS`.

    mean_masks, mean_images: the mean over masks, and over images of their mean over masks; NaN values are left out.
    low, high: the 95 % percentile interval of mean_masks over resampled images. detectable: half the interval's width
    times sqrt(2), the smallest difference that two such independent means can show. n_masks: all masks, of which n_nan
    have no value; n_images: images with a value. Below 5 of these, note says "n too small" and there is no interval.
    """
    parts = [_dataset_intervals(str(name), part, draws, seed) for name, part in table.groupby("dataset")]
    return finished(pd.concat(parts, ignore_index=True), facts)


def _dataset_intervals(dataset: str, table: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    sums, counts, masks = _by_image(table)
    rows = sums.columns.to_frame(index=False)
    rows["mean_masks"] = ratio(sums.to_numpy().sum(0), counts.to_numpy().sum(0))
    rows["mean_images"] = (sums / counts.where(counts > 0)).mean().to_numpy()
    rows["low"], rows["high"] = limits(
        resampled_means(sums.to_numpy(), counts.to_numpy(), resamples(dataset, len(sums), draws, seed))
    )
    rows["n_images"], rows["n_masks"] = (counts > 0).sum().to_numpy(), masks.sum().to_numpy()
    rows["n_nan"] = rows["n_masks"] - counts.sum().to_numpy()
    return rows


def _by_image(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Sum of values, number of values, number of masks: a row per image, ascending, a column per cell."""
    values = table.groupby(["image_id", *CELL])["value"]
    sums, counts, masks = (getattr(values, name)().unstack(CELL, fill_value=0) for name in ("sum", "count", "size"))
    return sums, counts, masks


def resamples(
    dataset: str, n_images: int, draws: int, seed: int, width: int = 1
) -> Iterator[Int[np.ndarray, "b n_images"]]:
    """How often each image is in each of `draws` resamples of n_images images, in blocks of b resamples.

    A user that makes `width` numbers of each resample says so, and gets smaller blocks of the same resamples.
    """
    generator = numpy_generator(seed, "bootstrap", dataset)
    block = max(1, BLOCK // max(n_images, width))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        drawn = generator.integers(n_images, size=(size, n_images)) + n_images * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n_images).reshape(size, n_images)


def resampled_means(
    sums: Float[np.ndarray, "n_images k"],
    counts: Int[np.ndarray, "n_images k"],
    weights: Iterator[Int[np.ndarray, "b n_images"]],
) -> Float[np.ndarray, "draws k"]:
    """The mean over masks in every resample; NaN where a resample holds no value."""
    counts = counts.astype(float)
    blocks = (block.astype(float) for block in weights)
    return np.concatenate([ratio(block @ sums, block @ counts) for block in blocks])


def limits(draws: Float[np.ndarray, "draws k"], level: float = LEVEL) -> Float[np.ndarray, "2 k"]:
    """The percentile interval of each column, over its resamples that have a value."""
    found = np.full((2, draws.shape[1]), np.nan)
    known = ~np.isnan(draws).all(axis=0)
    found[:, known] = np.nanquantile(draws[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return found


def without_narrow(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with their note; an interval from too few images would look far too sure, so there is none."""
    few = rows["n_images"] < FEWEST_IMAGES
    return rows.assign(low=rows["low"].mask(few), high=rows["high"].mask(few), note=np.where(few, "n too small", ""))


def finished(rows: pd.DataFrame, facts: Mapping[str, DatasetFacts]) -> pd.DataFrame:
    """Rows with the remaining columns of `COLUMNS`, in that order."""
    rows = without_narrow(rows)
    rows["detectable"] = (rows["high"] - rows["low"]) / 2 * math.sqrt(2)
    rows["synthetic"] = [facts[d].synthetic for d in rows["dataset"]]
    rows["quality"] = [facts[d].quality for d in rows["dataset"]]
    return rows[COLUMNS].sort_values(CELL, ignore_index=True)
