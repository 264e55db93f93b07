"""Do two report folders say the same? Numbers within a tolerance, pictures within a few pixels."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, UInt8
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_json, read_table
from uncertsam.experiments.contract import schemas
from uncertsam.statistics.schema import TOLERANCE, Schema

MEND = "Restore it, or build the report again."
PIXEL_TOLERANCE = 24  # of 255, before a pixel counts as changed
REACH = 5  # pixels: what moved by less than half of this has not changed
CHANGED_PIXELS = 20  # a dot of a figure covers more
FOOTER = 36  # pixels under a figure: the hash of its table changes with the table's last digit; tables are compared
APART = {"benchmarks.json", "benchmark_curves.csv"}  # `make bench` writes them, no stage does
TIMES = {"seconds"}  # no two runs take as long
DERIVED = {"answers.json", "reproduction.json"}  # words and verdicts on those numbers


def differences(old: Path, new: Path) -> list[str]:
    """What `new` lacks, adds or changes against `old`, one sentence each; empty where they agree.

    Raises UserError where one of them holds no report, or a broken file.
    """
    before, after = _files(old), _files(new)
    for root, found in ((old, before), (new, after)):
        if not found:
            raise UserError(f"{root} holds no tables or pictures.", "Name a folder such as reports/.")
    lost = [f"{name} is missing" for name in sorted(before - after)]
    added = [f"{name} is new" for name in sorted(after - before)]
    changed = [line for name in sorted(before & after) for line in _compare(old / name, new / name, name)]
    return lost + added + changed


def _files(root: Path) -> set[str]:
    """Everything of a report but its pages and its vector pictures, which are drawn from the rest, and `APART`."""
    kept = {".json", ".csv", ".parquet", ".png"}
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix in kept} - APART


def _compare(old: Path, new: Path, name: str) -> Iterator[str]:
    if name in DERIVED:  # there, and readable
        _read(old), _read(new)
        return
    before, after = _read(old), _read(new)
    if old.suffix in (".png", ".json"):
        yield from (_pictures if old.suffix == ".png" else _trees)(before, after, name)
    else:
        yield from schemas().get(name, Schema(name, MEND, {}, ())).differences(before, after)


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".png":
            with Image.open(path) as image:
                return np.asarray(image.convert("RGB"))
        if path.suffix == ".json":
            return read_json(path, MEND)
        return pd.read_csv(path) if path.suffix == ".csv" else read_table(path, MEND)
    except (OSError, SyntaxError, ValueError) as error:  # PIL raises all three
        raise UserError(f"{path} cannot be read ({error}).", MEND) from None


def _pictures(a: UInt8[np.ndarray, "h w 3"], b: UInt8[np.ndarray, "h2 w2 3"], name: str) -> Iterator[str]:
    if a.shape != b.shape:
        yield f"{name} is {b.shape[1]}x{b.shape[0]}, was {a.shape[1]}x{a.shape[0]}"
        return
    a, b = (picture[:-FOOTER] if name.startswith("figures/") else picture for picture in (a, b))
    count = int((_unlike(a, b) | _unlike(b, a)).sum())
    if count > CHANGED_PIXELS:
        yield f"{name} differs in {count} pixels"


def _unlike(picture: UInt8[np.ndarray, "h w 3"], other: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """Pixels of `picture` that are darker or brighter than everything near the same place of `other`."""
    near = np.ones((REACH, REACH), np.uint8)
    low = cv2.erode(other, near).astype(np.int16) - PIXEL_TOLERANCE
    high = cv2.dilate(other, near).astype(np.int16) + PIXEL_TOLERANCE
    return np.asarray(((picture < low) | (picture > high)).any(2))


def _trees(old: Any, new: Any, name: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted((old.keys() | new.keys()) - TIMES):
            yield from _trees(old.get(key), new.get(key), f"{name}: {key}")
    elif not _same(old, new):
        yield f"{name} is {new}, was {old}"


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float | int) and isinstance(new, float | int) and not isinstance(old, bool):
        return math.isclose(old, new, abs_tol=TOLERANCE, rel_tol=TOLERANCE)
    return bool(old == new)
