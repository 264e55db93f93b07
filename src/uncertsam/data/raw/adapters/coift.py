"""COIFT's raw layout (Liew et al. 2021): images/NAME.jpg and masks/NAME.png.

Verified in several public loaders of SAM-HQ's `thin_object_detection/COIFT`: the two folders, the endings, 280 pairs.
Not verifiable offline: whether its masks hold only 0 and 255 (they are cut in the middle), and the licence.
"""

from pathlib import Path

from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.adapters.base import Labels, Reading
from uncertsam.data.raw.pairs import BRIGHT_RULE, Files, PairParams, bright, read_pairs


class Params(PairParams):
    """Where the files are, and what is known about them."""

    files: Files = {"test": ("images/*.jpg", "masks/*.png")}
    splits: list[str] = ["test"]
    licence: str = TABLE["coift"].stated
    quality: Quality = "human"


def read(root: Path, params: Params) -> Reading:
    """List the images; each has one mask, which is kept whole (App. B). Raises UserError where none has a mask."""
    return read_pairs(root, params, "binary", _labels, [BRIGHT_RULE, "Masks are kept whole (App. B of the paper)."])


def _labels(path: Path) -> Labels:
    mask = bright(path)
    return Labels((mask.shape[0], mask.shape[1]), [("object", mask)] if mask.any() else [])
