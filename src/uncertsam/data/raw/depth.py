"""Pictures of more than 8 bits in 8: one rule for every type of number and every number of channels.

- All channels share one scale, so colours do not shift: black is 0, or the smallest value where some are negative;
  white is the largest value. Order is kept.
- A pixel has no data where a channel is NaN, infinite or beyond 1e30, or where all channels have the value that the
  file declares (GDAL's tag, PNG's transparent value). It has no part in the scale and becomes black.
- A value that all channels of some pixels share and that lies alone at an end, so far from all others that these could
  hardly be told apart, has no part in the scale and becomes black or white, whichever end it is at. "So far" depends on
  what the value is: see `_reach`.
- Where the file says that its smallest value is white, the scale is turned round.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Num, UInt8

NO_NUMBER = 1e30  # nothing is measured beyond it; fills such as 3.4e38 and 9.97e36 are
SENTINELS = (-9999.0, -32767.0, -32768.0, -99999.0, -2147483647.0, -2147483648.0, -1e20, 1e20)
ENDS = (32767.0, 65535.0, 2147483647.0, 4294967295.0)  # the largest of a type: no data, or overexposed


@dataclass(frozen=True)
class Scale:
    """How a deep picture became 8 bits. low, high: the values shown as black and white.

    missing: pixels without data. alone: the values left out of the scale, as they lie alone at its ends, and how many
    pixels have them. inverted: low is white.
    """

    low: float
    high: float
    missing: int = 0
    alone: tuple[tuple[float, int], ...] = ()
    inverted: bool = False

    def sentences(self) -> list[str]:
        """What was done, for people."""
        black, white = (self.high, self.low) if self.inverted else (self.low, self.high)
        told = [f"The picture has more than 8 bits: {black:.6g} is shown as black, {white:.6g} as white."]
        if self.inverted:
            told.append("Its smallest value is white, as the file says.")
        if self.missing:
            told.append(f"{self.missing} of its pixels have no data; they are black.")
        told += [f"{n} of its pixels are {v:.6g}, far from all others: left out of the scale." for v, n in self.alone]
        return told


def eight_bits(
    values: Num[np.ndarray, "h w c"], nodata: float | None = None, inverted: bool = False
) -> tuple[UInt8[np.ndarray, "h w c"], Scale]:
    """A deep picture in [0, 255] by the rule above. nodata: as declared. inverted: the smallest value is white."""
    missing = _missing(values, nodata)
    known = values[~missing]
    if not len(known):
        return np.zeros(values.shape, np.uint8), Scale(0.0, 0.0, int(missing.sum()), (), inverted)
    low, high, alone = _ends(known.min(axis=1), known.max(axis=1))
    low = min(low, 0.0)
    shown = np.zeros(values.shape, np.uint8)
    for channel in range(values.shape[2]):  # one by one: 8 bytes per pixel are held
        exact = np.where(missing, low, values[..., channel]).astype(np.float64).clip(low, high)
        grey = np.rint((exact - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
        shown[..., channel] = np.where(missing, 0, 255 - grey if inverted else grey)
    return shown, Scale(low, high, int(missing.sum()), alone, inverted)


def _missing(values: np.ndarray, nodata: float | None) -> Bool[np.ndarray, "h w"]:
    found = np.zeros(values.shape[:2], bool)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            found |= ~(np.abs(values) < NO_NUMBER).all(axis=2)
            nodata = None if nodata is None else float(values.dtype.type(nodata))
    return found if nodata is None else found | (values == nodata).all(axis=2)


def _ends(least: np.ndarray, most: np.ndarray) -> tuple[float, float, tuple[tuple[float, int], ...]]:
    """The smallest and the largest value of all pixels, given those of each, but for values that lie alone."""
    alone: list[tuple[float, int]] = []
    while True:
        low, high = float(least.min()), float(most.max())
        for end, all_there in ((high, least == high), (low, most == low)):
            rest = ~all_there
            if not all_there.any() or not rest.any():
                continue
            inner = float(least[rest].min()), float(most[rest].max())
            gap = high - inner[1] if end == high else inner[0] - low
            if inner[1] > inner[0] and gap > _reach(end) * (inner[1] - inner[0]):
                alone.append((end, int(all_there.sum())))
                least, most = least[rest], most[rest]
                break
        else:
            return low, high, tuple(alone)


def _reach(value: float) -> float:
    """How many times as far from all others as these are wide a value has to be, to lie alone."""
    return 1.0 if value in SENTINELS else 3.0 if value in ENDS else 100.0
