"""A predicted mask against the truth, in colours on the image."""

import numpy as np
from jaxtyping import Bool, UInt8

# errors stand out by hue and lightness also for the colour-blind; what is right stays pale, the rest grey and dark
RIGHT, TOO_MUCH, MISSED, IGNORED = (214, 226, 234), (240, 123, 32), (48, 130, 230), (120, 120, 120)
NAMES = {"right (TP)": RIGHT, "too much (FP)": TOO_MUCH, "missed (FN)": MISSED}


def overlay(
    image: UInt8[np.ndarray, "h w 3"],
    truth: Bool[np.ndarray, "h w"],
    prediction: Bool[np.ndarray, "h w"],
    ignored: Bool[np.ndarray, "h w"] | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """Tint the image, in [0, 255], by true positives, false positives and false negatives; void pixels become grey."""
    grey = image.mean(axis=2, keepdims=True)
    picture = np.repeat(0.45 * grey, 3, axis=2)
    parts = [
        (truth & prediction, RIGHT, 0.6),
        (prediction & ~truth, TOO_MUCH, 0.85),
        (truth & ~prediction, MISSED, 0.85),
    ]
    for part, colour, weight in parts:
        picture[part] = (1 - weight) * grey[part] + weight * np.array(colour)
    if ignored is not None:
        picture[ignored] = IGNORED
    return picture.round().astype(np.uint8)


def counts(
    truth: Bool[np.ndarray, "h w"], prediction: Bool[np.ndarray, "h w"], ignored: Bool[np.ndarray, "h w"]
) -> dict[str, int]:
    """True positives, false positives and false negatives in pixels; void pixels count nowhere."""
    parts = {"tp": truth & prediction, "fp": prediction & ~truth, "fn": truth & ~prediction}
    return {name: int((part & ~ignored).sum()) for name, part in parts.items()}
