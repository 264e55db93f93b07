"""Metrics of one cell: every mask that one method predicted on one dataset, in shards of a few images."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from safetensors import SafetensorError, safe_open

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_table
from uncertsam.compute.shards import cut
from uncertsam.data.format import Split, read_split
from uncertsam.metrics.curves import Curves, curve_table
from uncertsam.metrics.masks import METRICS, examine_mask
from uncertsam.metrics.ranking import Ranks
from uncertsam.metrics.region import REGIONS, TruthSide
from uncertsam.models.layout import Layout, Size, read_layout

IMAGES = 4  # of a shard, or more: see `cut`
KEYS = [(metric, region) for metric in METRICS for region in REGIONS]
AGAIN = "Delete its folder, then run the predict stage (or refine) again."  # finished cells are kept


@dataclass(frozen=True)
class Predictions:
    """One cell's low-resolution maps, read from the disk one mask at a time. `rows`: mask id -> row of the maps.

    layout: of the model that made them.
    """

    root: Path
    layout: Layout
    rows: dict[int, int]
    logits: Any
    uncertainty: Any

    @classmethod
    def open(cls, root: Path, owners: Mapping[int, int]) -> "Predictions":
        """Open a cell; `owners` says which masks it must hold: mask id -> image id.

        Raises UserError where a mask is missing, unknown or listed twice, or the maps do not fit the index.
        """
        rows = _read_rows(root / "index.parquet", owners)
        return cls(root, read_layout(root), rows, *_open_maps(root / "maps.safetensors", len(rows)))

    def of(self, mask_id: int, size: Size) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Logits and uncertainty of one mask at its picture's size. Raises UserError where one is NaN or infinite."""
        row = self.rows[mask_id]
        logits, uncertainty = self.logits[row], self.uncertainty[row]
        if not (np.isfinite(logits).all() and np.isfinite(uncertainty).all()):
            raise UserError(f"{self.root / 'maps.safetensors'} holds NaN or infinity for mask {mask_id}.", AGAIN)
        return self.layout.to_picture(logits, size), self.layout.to_picture(uncertainty, size)


Row = tuple[int, list[float], Curves | None]  # mask id, the values of `KEYS`, the curves


@dataclass(frozen=True)
class Shard:
    """Some images with their masks. rows: of these masks; masks: how many the whole cell has."""

    split: Split
    rows: dict[int, int]
    masks: int


Each = Callable[[Callable[[Shard], list[Row]], Sequence[Shard]], Iterable[list[Row]]]


@dataclass(frozen=True)
class Measures:
    """What was measured of one cell.

    table: dataset, image_id, mask_id, method, metric, region, value (float64). curves: see `curves.curve_table`.
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
) -> Measures:
    """Measure every mask of one (method, dataset).

    `predictions` is a cell's folder, `benchmark_split` is <DATASET>/<split>. `each` calls a pure function for every
    shard, in their order, or as if (`Pool.map`, say); `ranks` as in `measure_mask`. Memory does not grow with the
    images, but for the table.
    Raises UserError where the predicted masks are not exactly those of the split, or a file is missing or broken.
    """
    split = read_split(benchmark_split)
    owners = {a.id: a.image_id for annotations in split.annotations.values() for a in annotations}
    cell = Predictions.open(predictions, owners)
    found = [row for rows in each(partial(_measure_shard, predictions, ranks), _shards(split, cell)) for row in rows]
    measured = {mask_id: values for mask_id, values, _ in found}
    curves = [drawn for _, _, drawn in found if drawn is not None]
    return Measures(_table(measured, owners, method, dataset), curve_table(dataset, method, curves))


def _measure_shard(predictions: Path, ranks: Ranks, shard: Shard) -> list[Row]:
    """Measure the masks of a few images of the cell that lies in `predictions`. Raises as `measure_cell` does."""
    maps = _open_maps(predictions / "maps.safetensors", shard.masks)
    return list(_measured(shard.split, Predictions(predictions, read_layout(predictions), shard.rows, *maps), ranks))


def _shards(split: Split, cell: Predictions) -> list[Shard]:
    return [_shard(split, cell, ids) for ids in cut(list(split.images), IMAGES)]


def _shard(split: Split, cell: Predictions, ids: Sequence[int]) -> Shard:
    annotations = {i: split.annotations[i] for i in ids}
    part = replace(split, images={i: split.images[i] for i in ids}, annotations=annotations)
    return Shard(part, {a.id: cell.rows[a.id] for i in ids for a in annotations[i]}, len(cell.rows))


def _table(measured: Mapping[int, list[float]], owners: Mapping[int, int], method: str, dataset: str) -> pd.DataFrame:
    masks = pd.DataFrame({"dataset": dataset, "image_id": map(owners.get, measured), "mask_id": list(measured)})
    table = masks.loc[masks.index.repeat(len(KEYS))].reset_index(drop=True)
    metrics, regions = zip(*KEYS, strict=True)
    labels = {"metric": np.tile(metrics, len(masks)), "region": np.tile(regions, len(masks))}
    return table.assign(method=method, **labels, value=np.array(list(measured.values()), float).ravel())


def _measured(split: Split, cell: Predictions, ranks: Ranks) -> Iterator[Row]:
    """Image by image."""
    for image in split:
        ignore = split.ignored(image.id)
        for annotation in split.annotations[image.id]:
            side = TruthSide.of(split.mask(annotation), ignore)
            logits, uncertainty = cell.of(annotation.id, (image.height, image.width))
            values, curves = examine_mask(side, logits, uncertainty, ranks)
            yield annotation.id, [values[key] for key in KEYS], curves


def _open_maps(path: Path, masks: int) -> list[Any]:
    """Logits and uncertainty, to be read by row. Raises UserError where they are not those of so many masks."""
    try:
        store: Any = safe_open(path, framework="numpy")
        maps = [store.get_slice(name) for name in ("logits", "uncertainty")]
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}).", AGAIN) from None
    kinds, shapes = {m.get_dtype() for m in maps}, [m.get_shape() for m in maps]
    if kinds != {"F32"}:
        raise UserError(f"{path} holds maps of {' and '.join(sorted(kinds))}, not F32.", AGAIN)
    if shapes[0] != shapes[1] or len(shapes[0]) != 3 or shapes[0][0] != masks:
        raise UserError(f"{path} holds maps of shapes {shapes}, its index {masks} masks.", AGAIN)
    return maps


def _read_rows(path: Path, owners: Mapping[int, int]) -> dict[int, int]:
    """mask id -> row, checked against the benchmark."""
    index = read_table(path, AGAIN, ["row", "image_id", "mask_id"])
    found = dict(zip(index["mask_id"].tolist(), index["image_id"].tolist(), strict=True))
    if len(found) < len(index) or sorted(index["row"]) != list(range(len(index))):
        raise UserError(f"{path} lists a mask or a row twice.", AGAIN)
    wrong = sorted(found.items() ^ owners.items())
    if wrong:
        mask_id, image_id = wrong[0]
        kind = "lacks" if owners.get(mask_id) == image_id else "holds, unlike the benchmark,"
        raise UserError(f"{path} {kind} mask {mask_id} of image {image_id} ({len(wrong)} differences).", AGAIN)
    return dict(zip(index["mask_id"].tolist(), index["row"].tolist(), strict=True))
