"""Worlds whose truth is known: logits with truths drawn from them, and made-up predictions on the disk."""

from pathlib import Path

import numpy as np
import pandas as pd
from cells import write_maps

from uncertsam.data.format import Annotation, ImageRecord, Split, encode_rle


def logistic(size: int, rng: np.random.Generator, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits with truths drawn from them: calibrated for scale 1, too sure by `scale` else."""
    logits = rng.normal(0, 2, size)
    return (scale * logits).astype(np.float32), rng.random(size) < 1 / (1 + np.exp(-logits))


def write_cells(root: Path, images: int, methods: list[str], reverse: bool = False, weak: float = 0.0) -> Split:
    """Noisy discs, two masks an image, and their predictions under `root`/METHOD; `weak` lowers every logit.

    reverse: the same in another order, of images, masks and rows.
    """
    y, x = np.mgrid[:24, :32]
    records, masks, rows, logits = {}, {}, [], []
    order = range(images)[::-1] if reverse else range(images)
    for k in order:
        rng = np.random.default_rng(k)
        records[k], masks[k] = ImageRecord(k, 32, 24, quality="human"), []
        for mask_id in (2 * k, 2 * k + 1):
            truth = (x - rng.integers(8, 24)) ** 2 + (y - 12) ** 2 < rng.integers(20, 60)
            masks[k].append(Annotation(mask_id, k, int(truth.sum()), encode_rle(truth)))
            logits.append(np.where(truth, 2.0, -2.0) + rng.normal(0, 2, truth.shape) - weak)
            rows.append((k, mask_id))
        masks[k] = masks[k][::-1] if reverse else masks[k]
    maps = np.stack(logits).astype(np.float32)[:, ::2, ::2].copy()
    index = pd.DataFrame(rows, columns=["image_id", "mask_id"])
    for method in methods:
        write_maps(root / method, index, {"logits": maps, "doubt": np.exp(-np.abs(maps))})
    return Split(root / "test", {"synthetic": True}, records, masks)
