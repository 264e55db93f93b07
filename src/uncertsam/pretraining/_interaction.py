"""The prompts that `sam2_nano` is trained with: boxes, clicks, and corrections with the earlier mask fed back."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from uncertsam.models.mask_points import centre, corners
from uncertsam.models.prompts import BACKGROUND, BOTTOM_RIGHT, FOREGROUND, PAD, TOP_LEFT, Prompts

SLOTS = 11  # two corners, up to four clicks, up to five corrections
Rng = np.random.Generator
Mask = Bool[np.ndarray, "h w"]


def first_prompt(
    rng: Rng, mask: Mask, one_click: bool = False
) -> tuple[Float[np.ndarray, "k 2"], Int[np.ndarray, " k"]]:
    """A jittered box (80 %), one to four clicks (12 %), or both (8 %); or one click. Padded to `SLOTS`."""
    kind = 1.0 if one_click else rng.random()
    points, labels = np.zeros((SLOTS, 2), np.float32), np.full(SLOTS, PAD)
    used = 0
    if kind < 0.88:
        points[:2], labels[:2], used = noisy_box(rng, mask), (TOP_LEFT, BOTTOM_RIGHT), 2
    if kind > 0.8:
        count = 1 if one_click else int(rng.choice([1, 1, 1, 2, 3, 4]))
        points[used : used + count], labels[used : used + count] = clicks(rng, mask, count)
    return points, labels


def noisy_box(rng: Rng, mask: Mask) -> Float[np.ndarray, "2 2"]:
    """The inclusive box of `mask`, each coordinate moved by up to 10 % of its side and 20 px at 1024 (paper App. E)."""
    size = mask.shape[1]
    ends = corners(mask).astype(np.float32)
    reach = np.minimum(0.1 * (ends[1] - ends[0]), 20 * size / 1024)
    moved = np.clip(ends + rng.uniform(-1, 1, (2, 2)) * reach, 0, size - 1)
    return np.sort(moved, 0).astype(np.float32)


def clicks(rng: Rng, mask: Mask, count: int) -> tuple[Float[np.ndarray, "k 2"], Int[np.ndarray, " k"]]:
    """The first click on the object (often where it is thickest), the others on it or beside it with equal odds."""
    inside, outside = np.argwhere(mask), np.argwhere(~mask)
    on = np.append(True, rng.random(count - 1) < 0.5)
    at = [(inside if o or not len(outside) else outside) for o in on]
    points = np.stack([a[rng.integers(len(a))][::-1] for a in at]).astype(np.float32)
    if rng.random() < 0.4:
        points[0] = centre(mask)[0]
    return points, np.where(on, FOREGROUND, BACKGROUND)


def correct(
    prompts: Prompts,
    logits: Float[Tensor, "n h w"],
    target: Float[Tensor, "n h w"],
    rng: Rng,
    size: int,
    feed_back: bool,
) -> Prompts:
    """Add one click where the answer is wrong, and perhaps feed the answer back as a mask.

    Half of the clicks go where the largest error is thickest, the others anywhere in the error; anywhere at all where
    there is none.
    """
    wrong = ((logits > 0) != (target > 0.5)).cpu().numpy()
    points, labels = prompts.points.clone(), prompts.labels.clone()
    for i, errors in enumerate(wrong):
        candidates = np.argwhere(errors if errors.any() else np.ones_like(errors))
        y, x = (int(n) for n in candidates[rng.integers(len(candidates))])
        if errors.any() and rng.random() < 0.5:
            truth = target[i].cpu().numpy() > 0.5
            x, y = max((centre(errors & truth), centre(errors & ~truth)), key=lambda found: found[1])[0]
        slot = int((labels[i] != PAD).sum())
        points[i, slot] = (torch.tensor([x, y]) + 0.5) * size / wrong.shape[-1] - 0.5
        labels[i, slot] = FOREGROUND if target[i, y, x] > 0.5 else BACKGROUND
    masks = logits.detach().clamp(-32, 32)[:, None] if feed_back else None
    return Prompts(points, labels, masks)
