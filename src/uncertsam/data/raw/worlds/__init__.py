"""Synthetic worlds: small sets that can be shipped, each in the raw layout of one of the paper's datasets.

A world is a module here with a class `Params` and a function `generate(root, params)`. Image k depends on the seed and
k alone, so a larger set begins with the smaller one.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, Field

from uncertsam.base.files import encoded


class WorldParams(BaseModel, extra="forbid"):
    """What every world asks for; `size` is the longest side of an image [px]."""

    count: int = Field(24, ge=1, le=100_000)
    size: int = Field(320, ge=64, le=4096)
    seed: int = 0


def frame(rng: np.random.Generator, size: int) -> tuple[int, int]:
    """A picture's height and width: the longest side is `size`, a third stand upright."""
    short = round(size * float(rng.choice([0.6, 0.67, 0.75, 0.75, 0.85, 1.0])))
    return (size, short) if rng.random() < 0.33 else (short, size)


def save(path: Path, image: UInt8[np.ndarray, "..."]) -> None:
    """Write an RGB picture [h,w,3] or a mask [h,w] as PNG or JPEG, by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    path.write_bytes(encoded(stored, path.suffix, [cv2.IMWRITE_JPEG_QUALITY, 92] if path.suffix == ".jpg" else []))
