"""Metrics of one cell: every mask that one method predicted on one dataset, in shards of a few images."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd

from uncertsam.compute.shards import cut
from uncertsam.data.format import Split, read_split
from uncertsam.metrics.curves import Curves, curve_table
from uncertsam.metrics.masks import Key, examine_mask
from uncertsam.metrics.ranking import Ranks
from uncertsam.metrics.region import TruthSide
from uncertsam.metrics.stored import Predictions, Rows

IMAGES = 4  # of a shard, or more: see `cut`
COLUMNS = ["model", "dataset", "image_id", "mask_id", "method", "measure", "level", "metric", "region", "value"]

Row = tuple[int, dict[Key, float], Curves | None]  # mask id, its numbers, its curves


@dataclass(frozen=True)
class Shard:
    """Some images with their masks. rows: of these masks; masks: how many the whole cell has."""

    split: Split
    rows: Rows
    masks: int


Each = Callable[[Callable[[Shard], list[Row]], Sequence[Shard]], Iterable[list[Row]]]


@dataclass(frozen=True)
class Measures:
    """What was measured of one cell.

    table: model, dataset, image_id, mask_id, method, measure, level, metric, region, value (float64), as `examine_mask`
    says. curves: see `curves.curve_table`.
    """

    table: pd.DataFrame
    curves: pd.DataFrame


def measure_cell(
    predictions: Path,
    benchmark_split: Path,
    method: str,
    dataset: str,
    each: Each = map,
    ranks: Ranks = "bits",
    model: str = "",
) -> Measures:
    """Measure every mask of one (model, method, dataset), by every measure that its maps support.

    `predictions` is a cell's folder, `benchmark_split` is <DATASET>/<split>. `each` calls a pure function for every
    shard, in their order, or as if (`Pool.map`, say); `ranks` as in `measure_mask`. Memory does not grow with the
    images, but for the table.
    Raises UserError where the predicted masks are not exactly those of the split, or a file is missing or broken.
    """
    split = read_split(benchmark_split)
    owners = {a.id: a.image_id for annotations in split.annotations.values() for a in annotations}
    cell = Predictions.open(predictions, owners)
    found = [row for rows in each(partial(_measure_shard, predictions, ranks), _shards(split, cell)) for row in rows]
    curves = [drawn for _, _, drawn in found if drawn is not None]
    labels = {"model": model, "dataset": dataset, "method": method}
    table = _table({mask_id: values for mask_id, values, _ in found}, owners).assign(**labels)
    return Measures(table[COLUMNS], curve_table(dataset, method, curves))


def _measure_shard(predictions: Path, ranks: Ranks, shard: Shard) -> list[Row]:
    """Measure the masks of a few images of the cell that lies in `predictions`. Raises as `measure_cell` does."""
    return list(_measured(shard.split, Predictions.of_rows(predictions, shard.rows, shard.masks), ranks))


def _shards(split: Split, cell: Predictions) -> list[Shard]:
    return [_shard(split, cell, ids) for ids in cut(list(split.images), IMAGES)]


def _shard(split: Split, cell: Predictions, ids: Sequence[int]) -> Shard:
    annotations = {i: split.annotations[i] for i in ids}
    part = replace(split, images={i: split.images[i] for i in ids}, annotations=annotations)
    return Shard(part, {a.id: cell.rows[a.id] for i in ids for a in annotations[i]}, len(cell.rows))


def _table(measured: Mapping[int, Mapping[Key, float]], owners: Mapping[int, int]) -> pd.DataFrame:
    rows = [(owners[mask], mask, *key, value) for mask, values in measured.items() for key, value in values.items()]
    names = ["image_id", "mask_id", "measure", "level", "metric", "region"]
    return pd.DataFrame(rows, columns=[*names, "value"]).astype({"value": float})


def _measured(split: Split, cell: Predictions, ranks: Ranks) -> Iterator[Row]:
    """Image by image."""
    for image in split:
        ignore = split.ignored(image.id)
        for annotation in split.annotations[image.id]:
            side = TruthSide.of(split.mask(annotation), ignore)
            yield annotation.id, *examine_mask(side, cell.of(annotation.id), ranks)
