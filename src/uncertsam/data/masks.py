"""Published masks taken apart into binary ones: by index, by colour, by connected component (App. B of the paper)."""

from collections.abc import Collection

import cv2
import numpy as np
from jaxtyping import Bool, UInt, UInt8
from PIL import Image

from uncertsam.data.images import Source, Unusable, load, rgb

Mask = Bool[np.ndarray, "h w"]
Colour = tuple[int, int, int]
Codes = UInt[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]
SMALLEST = 8  # pixels; the reference code cannot even draw its 8 points in less


def read_codes(source: Source) -> Codes:
    """A mask file's codes (`codes_of`). Raises Unusable where the file is broken."""
    return codes_of(load(source))


def codes_of(image: Image.Image) -> Codes:
    """A palette's index and not its colour, three equal channels as one, otherwise RGB; alpha is dropped.

    Raises Unusable on negative or fractional values.
    """
    if image.mode not in ("1", "L", "P", "F") and not image.mode.startswith("I"):
        colours = rgb(image)
        return colours[..., 0] if (colours == colours[..., :1]).all() else colours
    codes = np.asarray(image)
    if codes.dtype in (np.uint8, np.uint16):
        return codes
    if not np.isfinite(codes).all() or (codes < 0).any() or (codes != np.rint(codes)).any():
        raise Unusable("the mask holds negative or fractional values, which are no labels")
    return codes.astype(np.uint8 if image.mode == "1" else np.uint32)


def read_colours(source: Source) -> UInt8[np.ndarray, "h w 3"]:
    """A mask file's colours as RGB in [0, 255], alpha dropped. Raises Unusable where the file is broken."""
    return rgb(load(source))


def split_indices(codes: UInt[np.ndarray, "h w"], leave_out: Collection[int | None] = (0,)) -> dict[int, Mask]:
    """One mask per value in ascending order, but none for those in `leave_out` (background and void)."""
    return {value: codes == value for value in distinct(codes) if value not in leave_out}


def distinct(codes: UInt[np.ndarray, "h w"]) -> list[int]:
    """The values that occur, ascending; by counting where they are small, which is several times as fast as sorting."""
    small = codes.dtype.itemsize <= 2
    found: list[int] = (np.flatnonzero(np.bincount(codes.ravel())) if small else np.unique(codes)).tolist()
    return found


def split_colours(
    colours: UInt8[np.ndarray, "h w 3"], leave_out: Collection[Colour] = ((0, 0, 0),)
) -> dict[Colour, Mask]:
    """One mask per distinct RGB colour (App. B, "colour coded"), but none for those in `leave_out`."""
    packed = split_indices(pack(colours), [red << 16 | green << 8 | blue for red, green, blue in leave_out])
    return {(value >> 16, value >> 8 & 255, value & 255): mask for value, mask in packed.items()}


def pack(colours: UInt8[np.ndarray, "h w 3"]) -> UInt[np.ndarray, "h w"]:
    """Each RGB colour as one number, 0xRRGGBB."""
    red, green, blue = (colours[..., i].astype(np.uint32) for i in range(3))
    return red << 16 | green << 8 | blue


def connected_components(
    mask: Mask, iterations: int = 2, kernel: int = 3, min_area: int = 1000, connectivity: int = 8
) -> list[Mask]:
    """App. B's components: close, label, AND with the original, keep those larger than `min_area` pixels.

    "Close twice" is read as OpenCV reads `iterations=2`: two dilations, then two erosions. (Closing is idempotent, so
    two whole closings would be one.) As there, nothing is eroded from outside the image. The area is measured after the
    AND. Ordered by first pixel, row by row.
    """
    square = np.ones((kernel, kernel), np.uint8)
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, square, iterations=iterations)
    labels = cv2.connectedComponents(closed, connectivity=connectivity)[1]
    found, first, areas = np.unique(labels[mask], return_index=True, return_counts=True)
    large = areas > min_area
    return [(labels == label) & mask for label in found[large][np.argsort(first[large])]]


def area_of(mask: Mask) -> int:
    """The number of its pixels; ten times as fast as `sum`."""
    return int(np.count_nonzero(mask))


def fault(mask: Mask, ignore: Mask | None = None) -> str | None:
    """Why a mask is no task for a segmentation model, as part of a sentence; None where it is one."""
    area = area_of(mask)
    if area == 0:
        return "the mask is empty"
    if area < SMALLEST:
        return f"the mask has fewer than {SMALLEST} pixels ({area})"
    if area + (0 if ignore is None else area_of(ignore & ~mask)) == mask.size:
        return "the mask covers every pixel that counts"
    return None
