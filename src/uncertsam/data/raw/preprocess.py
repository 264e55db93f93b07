"""Raw set -> benchmark format: one pass over the images, then the split contract, then a rename."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import count, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.base.files import remove, written_aside
from uncertsam.data.format import Annotation, ImageRecord, Rle, encode_rle, write_split
from uncertsam.data.raw.acquire import Inventory
from uncertsam.data.raw.adapters.base import Labels, Parts, RawImage, Reading, Skipped, plural, read_raw
from uncertsam.data.raw.images import Photo, Unusable, write_photo
from uncertsam.data.raw.masks import area_of, fault, told_by
from uncertsam.data.splits import (
    FEWEST_GROUPS,
    SPLITS,
    Fingerprint,
    Reserved,
    assign,
    check_fractions,
    dhash,
    group_images,
    reserved_splits,
)

CHANGES = {
    "turned": "{} turned upright, as the EXIF tag says.",
    "deep": "{} of more than 8 bits scaled to 8, each image's own largest value becoming 255, and 0, or its smallest "
    "value where some are negative, becoming 0; all channels alike.",
    "inverted": "{} whose smallest value is white, as the file says: inverted.",
    "missing": "{} with pixels that have no data (NaN, infinity, or a value that the file declares), which are black.",
    "alone": "{} with a value that lies alone, far from all others, such as 65535 or -9999: left out of the scale.",
    "bands": "{} of several bands: the first three are taken as red, green and blue, or the first alone where there "
    "are two.",
    "alpha": "{} stripped of transparency.",
    "mask_alpha": "{} whose mask has its shape in its transparency: transparent pixels are background; opaque ones are "
    "white where their colour says nothing (all black, or a photo's).",
    "mask_turned": "{} whose mask was turned upright, as its own tag says.",
    "mask_left": "{} whose mask was not turned as its tag says: only so it has the picture's size.",
    "mask_assumed": "{} turned by its tag whose mask has none and would fit either way: it is taken as drawn on the "
    "upright picture.",
}


@dataclass(frozen=True)
class _Kept:
    """One converted image, all but its group and split."""

    record: ImageRecord
    fingerprint: Fingerprint
    masks: list[tuple[str, int, Rle]]  # label, area in pixels, RLE
    changes: frozenset[str]  # of `CHANGES`
    copied: bool
    reasons: list[str]  # why some of its masks are left out


@dataclass(frozen=True)
class _Task:
    """An image to be converted. number: its place among all, from 1; sha256: of its file."""

    number: int
    raw: RawImage
    sha256: str


Shard = list[_Task]
Each = Callable[[Callable[[Shard], list[_Kept | Skipped]], Sequence[Shard]], Iterable[list[_Kept | Skipped]]]


def preprocess(
    raw: Path,
    out: Path,
    dataset: str,
    adapter: str,
    options: dict[str, Any],
    fractions: Mapping[str, float],
    reserved: Reserved,
    salt: str,
    near: int,
    progress: bool = True,
    each: Each = map,
) -> dict[str, Any]:
    """Write <out>/<split>/{images,annotations} from <raw>/inventory.json, whole or not at all.

    Images are numbered 1..n in the order of their raw paths, masks 1..m, over all splits of the set. `each` calls a
    pure function for every shard, in their order, or as if (`Pool.map`, say). Returns {dataset, kind, groups, skipped,
    splits: {split: {images, masks}}}. Raises UserError where files are lost or have changed, the adapter refuses, or no
    image is left.
    """
    check_fractions(fractions)
    reading, hashes, synthetic = _read(raw, adapter, options)
    with written_aside(out) as aside:
        kept, skipped = _convert(reading, hashes, aside / "pool", progress, each)
        prints = [k.fingerprint for k in kept]
        groups = group_images(prints, near)
        split_of = assign(groups, fractions, salt, reserved_splits(prints, reserved, near))
        facts = {"dataset": dataset, "kind": reading.kind}
        choices = [*reading.choices, *_changes(kept), *_division(groups.values(), fractions, near)]
        about = {"adapter": adapter, "synthetic": synthetic, "licence": reading.licence, "choices": choices}
        info = facts | about | {"skipped": [asdict(s) for s in skipped]}
        counts = _write(aside, info, kept, groups, split_of)
    return facts | {"groups": len(set(groups.values())), "skipped": len(skipped), "splits": counts}


def _read(raw: Path, adapter: str, options: dict[str, Any]) -> tuple[Reading, dict[Path, str], bool]:
    """What the adapter finds, the SHA-256 by resolved path (an inventory has no links), and whether it is synthetic."""
    inventory = Inventory.read(raw)
    inventory.verify(raw)
    root = inventory.location(raw)
    reading = read_raw(adapter, root, options)
    if inventory.synthetic:
        images = [replace(image, quality="synthetic") for image in reading.images]
        reading = replace(reading, images=images, licence="generated by this project")
    return reading, {(root / name).resolve(): known for name, known in inventory.files.items()}, inventory.synthetic


def _convert(
    reading: Reading, hashes: dict[Path, str], pool: Path, progress: bool, each: Each
) -> tuple[list[_Kept], list[Skipped]]:
    """Convert every image into `pool`, numbering those that are kept."""
    kept: list[_Kept] = []
    skipped = list(reading.skipped)
    for one in _converted(_shards(reading.images, hashes), pool, progress, each):
        if isinstance(one, Skipped):
            skipped.append(one)
        else:
            kept.append(_renumbered(one, len(kept) + 1, pool))
            skipped += [Skipped(one.record.source, reason) for reason in one.reasons]
    if not kept:
        some = "; ".join(f"{s.file}: {s.reason}" for s in skipped[:3]) or "there is none"
        raise UserError(f"No image with a mask is left ({some}).", "Check the files and the dataset's options.")
    return kept, skipped


def _converted(shards: list[Shard], pool: Path, progress: bool, each: Each) -> Iterator[_Kept | Skipped]:
    images = sum(map(len, shards))
    with tqdm(total=images, desc="converting images", disable=None if progress else True) as bar:
        for found in each(partial(_convert_shard, pool), shards):
            yield from found
            bar.update(len(found))


def _shards(images: Iterable[RawImage], hashes: dict[Path, str]) -> list[Shard]:
    """The images in order, each with its place; neighbours of one group, such as a volume's slices, share a shard."""
    tasks: list[_Task] = []
    for number, raw in enumerate(sorted(images, key=lambda image: image.name), 1):
        known = hashes.get(raw.path.resolve())
        if known is None:
            raise UserError(f"{raw.path} is not in the inventory.", "Run the acquire stage again.")
        tasks.append(_Task(number, raw, known))
    return [list(found) for _, found in groupby(tasks, key=attrgetter("raw.group"))]


def _convert_shard(pool: Path, shard: Shard) -> list[_Kept | Skipped]:
    """Convert some images into `pool`, under their places among all images. Raises UserError as an adapter may."""
    found: list[_Kept | Skipped] = []
    for task in shard:
        try:
            found.append(_convert_one(task.raw, task.number, task.sha256, pool))
        except Unusable as error:
            found.append(Skipped(task.raw.name, str(error)))
    return found


def _renumbered(kept: _Kept, number: int, pool: Path) -> _Kept:
    """The image under its number among those that are kept: never a larger one, so no other file is in its way."""
    record = replace(kept.record, id=number)
    os.replace(pool / kept.record.file_name, pool / record.file_name)
    return replace(kept, record=record)


def _convert_one(raw: RawImage, number: int, sha256: str, pool: Path) -> _Kept:
    photo = raw.photo()
    labels, changes = _fitted(raw, photo)
    height, width = photo.pixels.shape[:2]
    masks, reasons = _usable(labels)
    if not masks:
        raise Unusable(f"no mask is left ({'; '.join(reasons) or 'there is none'})")
    ignore = None if labels.ignore is None else encode_rle(labels.ignore)
    record = ImageRecord(number, width, height, raw.name, sha256, quality=raw.quality, ignore=ignore)
    write_photo(photo, raw.path, pool / record.file_name)
    coded = [(label, area_of(mask), encode_rle(mask)) for label, mask in masks]
    fingerprint = Fingerprint(sha256, dhash(photo.pixels), raw.group)
    return _Kept(record, fingerprint, coded, changes | _seen(photo), photo.is_jpeg, reasons)


def _fitted(raw: RawImage, photo: Photo) -> tuple[Labels, frozenset[str]]:
    """The labels as they lie on the upright picture, and what was done to them, by `CHANGES`.

    A mask lies on the upright picture, and is turned by its own tag, if it has one; where it has the picture's size
    only as stored, the tag is stale. Raises Unusable where it has the picture's size in neither way.
    """
    labels, size = raw.read_labels(), photo.pixels.shape[:2]
    own, alpha = told_by(raw.mask) if raw.mask else (1, False)
    changes = {"mask_alpha"} if alpha else set()
    across = labels.shape[::-1] == size
    if labels.shape == size:
        doubt = own == 1 and photo.orientation != 1 and (photo.orientation < 5 or across)
        return labels, frozenset(changes | ({"mask_turned"} if own != 1 else {"mask_assumed"} if doubt else set()))
    if across and own >= 5:
        return labels.turned({6: 8, 8: 6}.get(own, own)), frozenset(changes | {"mask_left"})
    mask, after = f"{labels.shape[1]}x{labels.shape[0]}", ""
    if photo.orientation != 1:
        after = " after its EXIF rotation" + ("; turn the mask as well, or give it the same tag" if across else "")
    raise Unusable(f"the mask is {mask} pixels large, the image {size[1]}x{size[0]}{after}")


def _seen(photo: Photo) -> frozenset[str]:
    """What was done to the picture, by `CHANGES`."""
    scale = photo.scale
    facts = {} if scale is None else {"inverted": scale.inverted, "missing": scale.missing, "alone": scale.alone}
    return photo.changes | {name for name, there in facts.items() if there}


def _usable(labels: Labels) -> tuple[Parts, list[str]]:
    """The masks that are a task for a model, and why the others are none."""
    faults = [fault(mask, labels.ignore) for _, mask in labels.masks]
    pairs = list(zip(labels.masks, faults, strict=True))
    reasons = [f"{label}: {reason}" for (label, _), reason in pairs if reason]
    return [part for part, reason in pairs if not reason], labels.skipped + reasons


def _changes(kept: list[_Kept]) -> list[str]:
    """What happened to the pictures, in sentences."""
    copied = sum(k.copied for k in kept)
    counts = Counter(change for k in kept for change in k.changes)
    saved = f"{plural(copied, 'JPEG')} copied byte for byte, {len(kept) - copied} saved anew (quality 95, 4:4:4)."
    return [saved, *(text.format(plural(counts[key], "image")) for key, text in CHANGES.items() if counts[key])]


def _division(groups: Iterable[str], fractions: Mapping[str, float], near: int) -> list[str]:
    """How the set was divided, in sentences."""
    n = len(set(groups))
    lines = [
        f"The images form {plural(n, 'group')} of near-duplicates (one scene, one file, or difference hashes at most "
        f"{near} of 64 bits apart), and a group is never divided."
    ]
    if n < FEWEST_GROUPS:
        return [*lines, f"With fewer than {FEWEST_GROUPS} groups, all that is not reserved goes to test."]
    shares = ", ".join(f"{split} {fractions[split]:g}" for split in SPLITS if fractions.get(split))
    return [*lines, f"Groups are divided by hash ({shares})."]


def _write(
    aside: Path, info: dict[str, Any], kept: list[_Kept], groups: dict[str, str], split_of: dict[str, str]
) -> dict[str, dict[str, int]]:
    """Move the pool's images to their splits and write the annotations; the counts by split."""
    masks, counts = _numbered(kept), {}
    for split in SPLITS:
        records = [replace(k.record, group=groups[k.record.sha256]) for k in kept if split_of[k.record.sha256] == split]
        if not records:
            continue
        (aside / split / "images").mkdir(parents=True)
        for record in records:
            os.replace(aside / "pool" / record.file_name, aside / split / "images" / record.file_name)
        annotations = [annotation for record in records for annotation in masks[record.id]]
        write_split(aside / split, info, records, annotations)
        counts[split] = {"images": len(records), "masks": len(annotations)}
    remove(aside / "pool")
    return counts


def _numbered(kept: list[_Kept]) -> dict[int, list[Annotation]]:
    """The masks by image id, numbered 1..m over the whole set."""
    number = count(1)
    return {
        k.record.id: [Annotation(next(number), k.record.id, area, rle, label) for label, area, rle in k.masks]
        for k in kept
    }
