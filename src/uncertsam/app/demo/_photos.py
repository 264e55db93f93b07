"""Pictures for the page: an uploaded file's bytes, or a sample that comes with the box of its object."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from uncertsam.app.api.pictures import picture_in
from uncertsam.base.checkout import checkout
from uncertsam.base.errors import UserError

LARGEST = 2.0  # megapixels that a session keeps; about 60 bytes per pixel and method are held
GOLDEN = Path("data/golden")
NUMBERS = {1: "Picture 1", 3: "Picture 2", 4: "Picture 3", 6: "Picture 4"}
Rgb = UInt8[np.ndarray, "h w 3"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class DemoPicture:
    """A picture as it is asked about, and what was done to make it so. box: of a sample's object."""

    pixels: Rgb
    name: str
    notes: tuple[str, ...] = ()
    box: Box | None = None


def uploaded(data: bytes | None) -> DemoPicture:
    """The picture in a file's bytes, by the API's rules. Raises UserError where it is none or too large."""
    if not data:
        raise UserError("The file is empty.", "Choose a JPEG or a PNG.")
    found = picture_in(data)
    pixels, name, notes = _shrunk(found.pixels)
    return DemoPicture(pixels, name, found.notes + notes)


def _shrunk(pixels: UInt8[np.ndarray, "height width 3"]) -> tuple[Rgb, str, tuple[str, ...]]:
    """At most `LARGEST` megapixels, the name, and a note where that changed it."""
    height, width = pixels.shape[:2]
    scale = (LARGEST * 1e6 / (height * width)) ** 0.5
    if scale >= 1:
        return pixels, "uploaded", ()
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    note = f"The picture was shrunk from {width}x{height} to {size[0]}x{size[1]} pixels; all numbers are of that."
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), "uploaded", (note,)


def samples() -> tuple[str, ...]:
    """The names of the sample pictures: generated ones of the checkout, else one that is generated when asked for."""
    return tuple(NUMBERS.values()) if checkout() else ("Thin structure",)


def sample(name: str) -> DemoPicture:
    """A sample with the box of its largest object. Raises UserError where there is none of that name."""
    if name not in samples():
        raise UserError("There is no such sample.", f"Choose one of {', '.join(samples())}.")
    folder = checkout()
    pixels, mask = _golden(folder / GOLDEN, name) if folder else _drawn()
    return DemoPicture(pixels, name, (), _box_of(mask))


def _box_of(mask: Bool[np.ndarray, "h w"]) -> Box:
    """Around a mask that is not empty; both ends inside."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1])


def _golden(folder: Path, name: str) -> tuple[Rgb, Bool[np.ndarray, "h w"]]:
    from uncertsam.data.format import read_split

    split = read_split(folder)
    number = next(key for key, value in NUMBERS.items() if value == name)
    return split.pixels(number), max(split.masks(number), key=np.count_nonzero)


def _drawn() -> tuple[Rgb, Bool[np.ndarray, "h w"]]:
    from uncertsam.data.raw.worlds import thin_structures

    return thin_structures.draw(thin_structures.Params.model_validate({"count": 1}), 0)
