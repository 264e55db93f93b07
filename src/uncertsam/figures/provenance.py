"""What stands under a picture: the footnotes that its datasets need, and where its numbers come from."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from uncertsam.base.files import sha256
from uncertsam.catalogue import dataset_label
from uncertsam.statistics.selection import too_small

UNTRUE = {
    "derived": "labels derived by a script, not drawn by people",
    "model": "labels are another model's output",
    "mixed": "labels of mixed origin, not all of them ground truth",
}


def fingerprint(value: Any) -> str:
    """Eight hexadecimal digits of the SHA-256 of any JSON value; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def provenance_line(params: Any, data: Any) -> str:
    """The footer of a figure, such as "params 1a2b3c4d · data 9f8e7d6c": the same for the same inputs.

    `params` and `data` are JSON values, for instance the resolved parameters and {path: sha256}.
    """
    return f"params {fingerprint(params)} · data {fingerprint(data)}"


def figure_footer(model: str, methods: Sequence[str], split: str, bounds: Path) -> str:
    """The footer of a results figure: whose masks these are, and the hashes of what is compared and of its table."""
    return f"{model} · {provenance_line({'methods': list(methods), 'split': split}, sha256(bounds))}"


def footnotes(frame: pd.DataFrame) -> list[str]:
    """The sentences that the marks of `dataset_label` call for; `frame` has dataset, synthetic, quality, note."""
    notes = []
    for quality, meaning in UNTRUE.items():
        names = _names(frame[frame["quality"] == quality])
        if names:
            notes.append(f"† {names}: {meaning}.")
    small = _names(frame[frame["dataset"].isin(too_small(frame))])
    if small:
        notes.append(f"‡ {small}: fewer than 5 images, too few to conclude anything.")
    if frame["synthetic"].any():
        notes.append("(synthetic): generated pictures; they say nothing about photos.")
    return notes


def _names(frame: pd.DataFrame) -> str:
    return ", ".join(dataset_label(name) for name in frame["dataset"].drop_duplicates())
