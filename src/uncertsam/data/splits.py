"""The one split contract: by image hash into pretrain / fit / calibrate / test, near-duplicates together.

Everything that fits anything reads `pretrain`, `fit` or `calibrate`; reported numbers come from `test`.
"""

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8, UInt64
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from uncertsam.base.errors import UserError
from uncertsam.base.rng import derive_seed
from uncertsam.data.format import Split, read_split

SPLITS = ("pretrain", "fit", "calibrate", "test")
FEWEST_GROUPS = 10  # a smaller set is for testing only
FEWEST_BITS = 8  # set or unset, of 64


@dataclass(frozen=True)
class Fingerprint:
    """What tells near-duplicates: the file's SHA-256, its difference hash, its scene's name ("" if unknown)."""

    sha256: str
    dhash: int
    hint: str = ""


@dataclass(frozen=True)
class Reserved:
    """Images whose split is already decided, by SHA-256; and the hashes of pictures that pretraining has seen."""

    images: dict[str, str] = field(default_factory=dict)
    dhashes: frozenset[int] = frozenset()


def dhash(image: UInt8[np.ndarray, "h w 3"]) -> int:
    """The 64-bit difference hash: is a pixel of the 9 x 8 grey thumbnail brighter than its left neighbour?"""
    small = Image.fromarray(image).convert("L").resize((9, 8), Image.Resampling.BOX)
    grey = np.asarray(small)
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")


def telling(hashes: UInt64[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Whether a difference hash says anything: flat pictures and plain gradients all have (nearly) the same one."""
    ones: UInt8[np.ndarray, " n"] = np.bitwise_count(hashes)
    return (ones >= FEWEST_BITS) & (ones <= 64 - FEWEST_BITS)


def near_pairs(hashes: UInt64[np.ndarray, " n"], near: int) -> Int[np.ndarray, "pairs 2"]:
    """All i < j whose telling hashes differ in at most `near` bits: exact, one vectorised row at a time."""
    at = np.flatnonzero(telling(hashes))
    kept = hashes[at]
    rows = [np.empty((0, 2), np.intp)]
    for i in range(len(kept)):
        hits = i + 1 + np.flatnonzero(np.bitwise_count(kept[i + 1 :] ^ kept[i]) <= near)
        rows.append(np.stack([np.full_like(hits, i), hits], axis=1))
    return at[np.concatenate(rows)]


def group_images(images: Iterable[Fingerprint], near: int) -> dict[str, str]:
    """{sha256: key of its group}: same scene, same file, or difference hashes within `near` bits of each other.

    A group's key is its smallest sha256. Raises UserError where `near` is not in 0..32.
    """
    if not 0 <= near <= 32:
        raise UserError(f"split.near is {near}.", "Give a number of bits from 0 to 32; 3 is a good one.")
    images = list(images)
    hashes = _as_array(i.dhash for i in images)
    unique, first = np.unique(hashes, return_index=True)
    edges = _same(i.sha256 for i in images) + _same(i.hint for i in images)
    edges += _same(h if tells else "" for h, tells in zip(hashes.tolist(), telling(hashes), strict=True))
    edges += first[near_pairs(unique, near)].tolist()
    component = _components(len(images), edges)
    keys: dict[int, str] = {}
    for sha256, c in sorted((image.sha256, c) for image, c in zip(images, component, strict=True)):
        keys.setdefault(c, sha256)  # sorted, so the first of a component is its smallest
    return {image.sha256: keys[c] for image, c in zip(images, component, strict=True)}


def assign(
    groups: Mapping[str, str], fractions: Mapping[str, float], salt: str, reserved: Mapping[str, str]
) -> dict[str, str]:
    """{sha256: split} from {sha256: group}: hash(salt, group) against the cumulated fractions, whatever else is there.

    A group with a reserved image goes where that one goes (to the first such split in order of `SPLITS`). Fewer than
    10 groups go to test. Raises UserError on unknown splits and on fractions that do not sum to 1.
    """
    check_fractions(fractions)
    _check_names(reserved.values())
    small = len(set(groups.values())) < FEWEST_GROUPS
    forced: dict[str, str] = {}
    for image in groups.keys() & reserved.keys():
        known = forced.get(groups[image], SPLITS[-1])
        forced[groups[image]] = min(known, reserved[image], key=SPLITS.index)
    drawn = {key: "test" if small else _draw(fractions, salt, key) for key in set(groups.values())}
    return {image: forced.get(key, drawn[key]) for image, key in groups.items()}


def check_fractions(fractions: Mapping[str, float]) -> None:
    """Raise UserError on unknown splits, negative fractions, and a sum that is not 1 within 1e-6."""
    _check_names(fractions)
    total = sum(fractions.values())
    if min(fractions.values(), default=0.0) < 0 or not abs(total - 1) <= 1e-6:
        raise UserError(
            f"The shares of the splits (data.NAME.split) sum to {total:g}.",
            "Give fractions of at least 0 that sum to 1.",
        )


def reserved_splits(images: Iterable[Fingerprint], reserved: Reserved, near: int) -> dict[str, str]:
    """{sha256: split} of the images that are reserved: by their hash, or as near-duplicates of pretraining."""
    seen = _as_array(sorted(reserved.dhashes))
    seen = seen[telling(seen)]
    close = {i.sha256: "pretrain" for i in images if (np.bitwise_count(seen ^ np.uint64(i.dhash)) <= near).any()}
    return close | reserved.images


def read_reserved(manifest: Path) -> Reserved:
    """What a checkpoint has seen: `pretrain_images` (SHA-256) and `pretrain_dhashes` (hexadecimal) of its manifest.

    Both may be missing. Raises UserError where the file is missing or broken.
    """
    try:
        value = json.loads(manifest.read_text(encoding="utf-8"))
        images = {str(sha256): "pretrain" for sha256 in value.get("pretrain_images", [])}
        return Reserved(images, frozenset(int(str(text), 16) for text in value.get("pretrain_dhashes", [])))
    except (OSError, AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{manifest} cannot be read as a manifest ({error}).", "Restore the checkpoint.") from None


def check_unseen(reported: Mapping[str, Split], *fitted_on: Path) -> None:
    """Raise UserError where a reported dataset holds an image, by SHA-256, that something was fitted on.

    fitted_on: the splits that were fitted on. Within one dataset the contract excludes this; two may share a file.
    """
    for folder in fitted_on:
        seen = {image.sha256 for image in read_split(folder)} - {""}
        for dataset, split in reported.items():
            shared = [image.source for image in split if image.sha256 in seen]
            if shared:
                raise UserError(
                    f"{shared[0]} of {dataset} was fitted on ({len(shared)} such images): it lies in {folder} too.",
                    f"Leave them out by data.{dataset}.adapter_options.exclude, or fit on another dataset.",
                )


def _as_array(hashes: Iterable[int]) -> UInt64[np.ndarray, " n"]:
    return np.fromiter(hashes, np.uint64)


def _same(values: Iterable[Hashable]) -> list[list[int]]:
    """An edge from each item to the first one with its value; "" is no value."""
    first: dict[Hashable, int] = {}
    return [[first.setdefault(value, i), i] for i, value in enumerate(values) if value != ""]


def _components(n: int, edges: list[list[int]]) -> list[int]:
    a, b = np.array(edges, np.intp).reshape(-1, 2).T
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    found: list[int] = connected_components(graph, directed=False)[1].tolist()
    return found


def _draw(fractions: Mapping[str, float], salt: str, key: str) -> str:
    position, edge = derive_seed(0, salt, key) / 2**63, 0.0
    used = [split for split in SPLITS if fractions.get(split, 0.0) > 0]
    for split in used:
        edge += fractions[split]
        if position < edge:
            return split
    return used[-1]  # the fractions sum to 1 but for rounding


def _check_names(splits: Iterable[str]) -> None:
    unknown = sorted(set(splits) - set(SPLITS))
    if unknown:
        raise UserError(f"There is no split '{unknown[0]}'.", f"The splits are {', '.join(SPLITS)}.")
