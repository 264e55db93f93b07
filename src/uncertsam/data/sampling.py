"""A seeded sample of a benchmark set, recorded by hash: the same for everyone who has the same images.

An image's place in the draw is a hash of (seed, its SHA-256): neither order nor numbering matters, and more images can
push others out of the sample but change nothing else. Splits stay apart: each is sampled within itself.
"""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, written_aside
from uncertsam.base.rng import derive_seed
from uncertsam.data.format import Annotation, ImageRecord, Split, read_split, splits_of, write_split

COLUMNS = ["split", "image_id", "sha256", "masks", "source"]
Rows = list[tuple[str, int, str, int, str]]


def draw(
    benchmark: Path, out: Path, listing: Path, name: str, images: Mapping[str, int], masks: int | None, seed: int
) -> dict[str, dict[str, int]]:
    """Write the sample as the benchmark set `out`, called `name`, and its list (CSV: COLUMNS) to `listing`.

    images: {split: number of images with masks}; the others are left out. masks: at most so many of each image, chosen
    by hash too; None for all. Ids stay as they are. Returns {split: {images, masks}}. Raises UserError where a split
    does not exist or has fewer images.
    """
    _check(benchmark, out, images, masks)
    rows: Rows = []
    with ExitStack() as stack:
        aside, sheet = stack.enter_context(written_aside(out)), stack.enter_context(written_aside(listing))
        for split in sorted(images):
            rows += _sample(benchmark / split, aside / split, name, images[split], masks, seed)
        listed = pd.DataFrame(rows, columns=COLUMNS)
        listed.to_csv(sheet, index=False, lineterminator="\n")
    counts = listed.groupby("split")["masks"].agg(images="size", masks="sum")
    return {str(split): {"images": int(row.images), "masks": int(row.masks)} for split, row in counts.iterrows()}


def chosen(keys: Mapping[int, str], number: int, seed: int) -> list[int]:
    """The `number` ids whose keys (hashes of their contents) come first in the draw; equal keys by their id."""
    return sorted(keys, key=lambda i: (derive_seed(seed, keys[i]), i))[:number]


def _check(benchmark: Path, out: Path, images: Mapping[str, int], masks: int | None) -> None:
    if out.resolve() == benchmark.resolve():
        raise UserError(f"{out} is the set to draw from.", "Name another folder for the sample.")
    existing = splits_of(benchmark)
    unknown = sorted(set(images) - set(existing))
    if unknown or not images:
        raise UserError(
            f"subset.{out.name}.images names {f'the split {unknown[0]!r}' if unknown else 'no split'}.",
            f"{benchmark} has {', '.join(existing) or 'no split'}.",
        )
    if min(images.values()) < 1 or (masks is not None and masks < 1):
        problem = f"subset.{out.name}: images and masks are numbers of at least 1."
        raise UserError(problem, "Leave the split out, or correct the number.")


def _sample(source: Path, target: Path, name: str, number: int, masks: int | None, seed: int) -> Rows:
    """Sample one split and copy its images; the rows of the list in order of their ids."""
    split = read_split(source)
    hashes = _hashes(split)
    if len(hashes) < number:
        raise UserError(f"{source} has {len(hashes)} images with masks, not {number}.", f"Lower subset.{name}.images.")
    records = [replace(split.images[i], sha256=hashes[i]) for i in sorted(chosen(hashes, number, seed))]
    kept = {r.id: _masks(split.annotations[r.id], r, masks, seed) for r in records}
    info = {**split.info, "dataset": name, "choices": [*split.info.get("choices", []), _sentence(number, masks, seed)]}
    write_split(target, info, records, [a for r in records for a in kept[r.id]])
    _copy_images(source, target, records)
    return [(target.name, r.id, r.sha256, len(kept[r.id]), r.source) for r in records]


def _hashes(split: Split) -> dict[int, str]:
    """SHA-256 by id, of the images with masks; of the raw file where it is known, else of the image itself."""
    with_masks = [record for record in split if split.annotations[record.id]]
    files = tqdm(with_masks, desc="hash images", disable=None)
    return {r.id: r.sha256 or sha256(split.root / "images" / r.file_name) for r in files}


def _masks(annotations: list[Annotation], record: ImageRecord, masks: int | None, seed: int) -> list[Annotation]:
    if masks is None or len(annotations) <= masks:
        return annotations
    keys = {a.id: f"{record.sha256}/{a.segmentation['counts']}" for a in annotations}
    kept = set(chosen(keys, masks, seed))
    return [a for a in annotations if a.id in kept]


def _sentence(number: int, masks: int | None, seed: int) -> str:
    each = "" if masks is None else f", at most {masks} masks of each"
    return f"A sample: {number} images{each}, drawn by hash (seed {seed})."


def _copy_images(source: Path, target: Path, records: list[ImageRecord]) -> None:
    (target / "images").mkdir()
    for record in tqdm(records, desc="copy images", disable=None):
        shutil.copyfile(source / "images" / record.file_name, target / "images" / record.file_name)
