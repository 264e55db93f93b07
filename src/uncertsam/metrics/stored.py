"""What one method predicted on one dataset, as it lies on the disk; its maps are read one mask at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from safetensors import SafetensorError, safe_open

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_json, read_table
from uncertsam.metrics.measure_list import MEASURES, supported
from uncertsam.metrics.uncertainty import Measure
from uncertsam.models.layout import Layout, Size, read_layout

AGAIN = "Delete its folder, then run the predict stage (or refine) again."  # finished cells are kept
PART = "part_"  # what the names of shares of U begin with; they are no measures

Low = Float[np.ndarray, "h w"]
Large = Float[np.ndarray, "height width"]
Rows = Mapping[int, tuple[int, float]]  # mask id -> row of the maps, predicted IoU


@dataclass(frozen=True)
class StoredMask:
    """The low-resolution maps of one mask, the method's own measure, the predicted IoU, and the layout of the model."""

    maps: Mapping[str, Low]
    measure: Measure
    iou: float
    layout: Layout

    def large(self, size: Size) -> tuple[Large, Large]:
        """Logits and U at the picture's size."""
        return self.layout.to_picture(self.logits, size), self.layout.to_picture(self.uncertainty, size)

    @property
    def logits(self) -> Low:
        """Of the mean probability."""
        return self.maps["logits"]

    @property
    def uncertainty(self) -> Low:
        """U by the method's own measure."""
        return self.measure.of(self.maps)

    @property
    def measures(self) -> list[Measure]:
        """All that the maps support, the method's own first."""
        return supported(self.maps, self.measure)


@dataclass(frozen=True)
class Predictions:
    """Open files; maps: by their names, to be read by row."""

    root: Path
    rows: Rows
    layout: Layout
    measure: Measure
    maps: Mapping[str, Any]

    @classmethod
    def open(cls, root: Path, owners: Mapping[int, int]) -> "Predictions":
        """Open a cell; `owners` says which masks it must hold: mask id -> image id.

        Raises UserError where a mask is missing, unknown or listed twice, or the maps do not fit the index.
        """
        return cls.of_rows(root, _read_rows(root / "index.parquet", owners), len(owners))

    @classmethod
    def of_rows(cls, root: Path, rows: Rows, masks: int) -> "Predictions":
        """Open some rows of a cell that holds so many masks. Raises UserError where the maps are not theirs."""
        measure, path = read_measure(root), root / "maps.safetensors"
        maps = _open_maps(path, masks)
        lost = [name for name in ("logits", *measure.inputs) if name not in maps]
        if lost:
            raise UserError(f"{path} holds no {lost[0]}.", AGAIN)
        return cls(root, rows, read_layout(root), measure, maps)

    def of(self, mask_id: int) -> StoredMask:
        """One mask. Raises UserError where its maps hold NaN or infinity."""
        row, iou = self.rows[mask_id]
        maps = {name: values[row] for name, values in self.maps.items()}
        if not all(np.isfinite(values).all() for values in maps.values()):
            raise UserError(f"{self.root / 'maps.safetensors'} holds NaN or infinity for mask {mask_id}.", AGAIN)
        return StoredMask(maps, self.measure, iou, self.layout)


def read_measure(root: Path) -> Measure:
    """A method's own measure. Raises UserError where meta.json is missing, broken or does not say it."""
    path = root / "meta.json"
    try:
        told = read_json(path, AGAIN)["measure"]
        return MEASURES.get(told["name"]) or Measure(str(told["name"]), str(told["label"]), str(told["unit"]))
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} does not say by which measure the method is unsure ({error}).", AGAIN) from None


def _open_maps(path: Path, masks: int) -> dict[str, Any]:
    """All maps but the shares of U. Raises UserError where they are not those of so many masks."""
    try:
        store: Any = safe_open(path, framework="numpy")
        maps = {name: store.get_slice(name) for name in sorted(store.keys()) if not name.startswith(PART)}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}).", AGAIN) from None
    kinds, shapes = {m.get_dtype() for m in maps.values()}, {tuple(m.get_shape()) for m in maps.values()}
    if kinds != {"F32"}:
        raise UserError(f"{path} holds maps of {' and '.join(sorted(kinds))}, not F32.", AGAIN)
    if len(shapes) > 1 or any(len(shape) != 3 or shape[0] != masks for shape in shapes):
        raise UserError(f"{path} holds maps of shapes {sorted(shapes)}, its index {masks} masks.", AGAIN)
    return maps


def _read_rows(path: Path, owners: Mapping[int, int]) -> Rows:
    """Checked against the benchmark."""
    index = read_table(path, AGAIN, ["row", "image_id", "mask_id", "iou_predicted"])
    found = dict(zip(index["mask_id"].tolist(), index["image_id"].tolist(), strict=True))
    if len(found) < len(index) or sorted(index["row"]) != list(range(len(index))):
        raise UserError(f"{path} lists a mask or a row twice.", AGAIN)
    wrong = sorted(found.items() ^ owners.items())
    if wrong:
        mask_id, image_id = wrong[0]
        kind = "lacks" if owners.get(mask_id) == image_id else "holds, unlike the benchmark,"
        raise UserError(f"{path} {kind} mask {mask_id} of image {image_id} ({len(wrong)} differences).", AGAIN)
    return dict(
        zip(index["mask_id"], zip(index["row"].tolist(), index["iou_predicted"].tolist(), strict=True), strict=True)
    )
