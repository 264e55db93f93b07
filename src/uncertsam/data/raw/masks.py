"""Published masks taken apart into binary ones: by index, by colour, by connected component (App. B of the paper)."""

from collections.abc import Collection

import cv2
import numpy as np
from jaxtyping import Bool, UInt, UInt8

from uncertsam.data.raw.decoding import Decoded
from uncertsam.data.raw.images import Source, Unusable, load, rgb

Mask = Bool[np.ndarray, "h w"]
Colour = tuple[int, int, int]
Codes = UInt[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]
LARGEST = 2**32 - 1  # label
SMALLEST = 8  # pixels; the reference code cannot even draw its 8 points in less


def read_codes(source: Source) -> Codes:
    """A mask file's codes (`codes_of`). Raises Unusable where the file is broken."""
    return codes_of(load(source))


def codes_of(found: Decoded) -> Codes:
    """A palette's index and not its colour, three equal channels as one, otherwise RGB; upright; see `_by_alpha`.

    Raises Unusable on values that are no labels: negative or fractional ones, and colours that 8 bits cannot hold.
    """
    codes = _deep_codes(found) if found.image is None else _plain_codes(found)
    alpha = _alpha(found)
    codes = codes if alpha is None else _by_alpha(codes, alpha)
    grey = codes.ndim == 3 and (codes == codes[..., :1]).all()
    return np.ascontiguousarray(codes[..., 0]) if grey else codes


def read_colours(source: Source) -> UInt8[np.ndarray, "h w 3"]:
    """A mask file's colours as RGB in [0, 255], upright; see `_by_alpha`. Raises Unusable where the file is broken."""
    found = load(source)
    if found.image is not None:
        colours = rgb(found.image)
    else:
        codes = _deep_codes(found)
        grey = codes[..., None] if codes.ndim == 2 else codes
        colours = np.repeat(grey.clip(max=255).astype(np.uint8), 3 // grey.shape[2], axis=2)
    alpha = _alpha(found)
    return colours if alpha is None else _by_alpha(colours, alpha)


def _by_alpha(codes: Codes, alpha: Bool[np.ndarray, "h w"]) -> Codes:
    """Codes whose shape is, at least in part, in the transparency. alpha: where the mask is opaque.

    What is transparent is background, code 0. What is opaque keeps its code, except where that says nothing: where it
    is 0 all over, or as varied as a photo (a cut-out); then it becomes white.
    """
    inside = codes[alpha]
    found = np.zeros_like(codes)
    found[alpha] = 255 if not inside.any() or _varied(codes, alpha) else inside
    return found


def told_by(source: Source) -> tuple[int, bool]:
    """EXIF's orientation of a mask file, 1 where it has none, and whether its shape is in its transparency.

    Raises Unusable where the file is broken.
    """
    found = load(source)
    return found.orientation, _alpha(found) is not None


def _alpha(found: Decoded) -> Mask | None:
    """Where a mask is opaque: more so than half-way between its extremes. None where it is so everywhere alike."""
    alpha = found.alpha
    if found.image is not None:
        if not found.image.has_transparency_data:
            return None
        alpha = np.asarray(found.image.convert("RGBA"))[..., 3]
    if alpha is None or alpha.min() == alpha.max():
        return None
    return np.asarray(alpha > (float(alpha.min()) + float(alpha.max())) / 2)


def _varied(codes: Codes, inside: Mask) -> bool:
    """Whether fewer than half of the neighbours inside have the same code, in which labels differ from a photo."""
    flat = pack(codes) if codes.ndim == 3 else codes
    both = inside[:, 1:] & inside[:, :-1]
    return bool(2 * area_of(both & (flat[:, 1:] == flat[:, :-1])) < area_of(both))


def _plain_codes(found: Decoded) -> Codes:
    assert found.image is not None
    if found.image.mode not in ("1", "L", "P"):
        return rgb(found.image)
    codes = np.asarray(found.image).astype(np.uint8)
    alpha = _alpha(found) if found.image.mode == "P" else None
    if alpha is not None and alpha[codes == 0].any() and rgb(found.image)[codes == 0].any():
        codes[codes == 0] = codes[~alpha].max()  # an object's index, not the background's, which is transparent
    return codes


def _deep_codes(found: Decoded) -> Codes:
    assert found.samples is not None
    codes = found.samples
    if found.white_is_zero and codes.dtype.kind == "u":
        codes = np.iinfo(codes.dtype).max - codes
    if not np.isfinite(codes).all() or (codes < 0).any() or (codes != np.rint(codes)).any():
        raise Unusable("the mask holds negative or fractional values, which are no labels")
    if float(codes.max(initial=0)) > LARGEST:
        raise Unusable(f"the mask holds values beyond {LARGEST}, which are no labels")
    if codes.shape[2] == 1 or (codes == codes[..., :1]).all():
        return codes[..., 0] if codes.dtype in (np.uint8, np.uint16) else codes[..., 0].astype(np.uint32)
    if codes.max() <= 255:
        return codes.astype(np.uint8)
    if codes.dtype != np.uint16 or (codes % 257).any():
        raise Unusable("the mask holds colours of 16 bits, which are no labels: save them with 8 bits a channel")
    return (codes // 257).astype(np.uint8)


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
