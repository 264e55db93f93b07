"""The fixed subset of masks that every control answers: drawn by hash, listed with hashes, refused if it is another."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256
from uncertsam.data.format import Annotation, Split
from uncertsam.data.sampling import chosen
from uncertsam.statistics.schema import COUNT, WORD, Schema

MASKS = Schema(
    "controls_subset.csv",
    "Run the ablate stage.",
    {"dataset": WORD, "split": WORD, "image_id": COUNT, "image_sha256": WORD, "mask_id": COUNT, "mask_sha256": WORD},
    ["dataset", "image_id", "mask_id"],
    refers={"controls.parquet": ["dataset", "image_id", "mask_id"]},
)
COLUMNS = list(MASKS.columns)


def drawn(split: Split, images: int, masks: int | None, seed: int) -> Split:
    """At most `images` images with masks and `masks` masks of each (None: all), first in the order of their hashes.

    Neither order nor numbering matters; ids stay as they are. Raises UserError where no image has a mask.
    """
    hashes = {record.id: _image_hash(split, record.id) for record in split if split.annotations[record.id]}
    if not hashes:
        raise UserError(f"{split.root} has no masks to control.", "Leave the dataset out of ablate.datasets.")
    kept = sorted(chosen(hashes, images, seed))
    annotations = {i: _masks(split.annotations[i], hashes[i], masks, seed) for i in kept}
    return replace(split, images={i: split.images[i] for i in kept}, annotations=annotations)


def _image_hash(split: Split, image_id: int) -> str:
    """SHA-256 of the raw file where it is known, else of the image itself."""
    record = split.images[image_id]
    return record.sha256 or sha256(split.root / "images" / record.file_name)


def listing(splits: Mapping[str, Split]) -> pd.DataFrame:
    """A row per mask, with the hashes of the image and of the mask's RLE; columns: `COLUMNS`."""
    rows = [
        (dataset, split.root.name, image.id, _image_hash(split, image.id), annotation.id, _mask_hash(annotation))
        for dataset, split in sorted(splits.items())
        for image in split
        for annotation in split.annotations[image.id]
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def digest(rows: pd.DataFrame) -> str:
    """The SHA-256 of a list, as `ablate.subset` registers it."""
    return hashlib.sha256(rows[COLUMNS].to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def check_registered(rows: pd.DataFrame, registered: str | None) -> None:
    """Raise UserError unless this is the registered list; None accepts any."""
    found = digest(rows)
    if registered is not None and registered != found:
        raise UserError(
            f"The controls' masks are not those registered: their list has the hash {found}, not {registered}.",
            "Restore the data, or register this list anew: ablate.subset.",
        )


def _masks(annotations: list[Annotation], image: str, masks: int | None, seed: int) -> list[Annotation]:
    keys = {a.id: f"{image}/{a.segmentation['counts']}" for a in annotations}
    kept = set(chosen(keys, len(keys) if masks is None else masks, seed))
    return [a for a in annotations if a.id in kept]


def _mask_hash(annotation: Annotation) -> str:
    return hashlib.sha256(str(annotation.segmentation["counts"]).encode()).hexdigest()
