"""BIG's raw layout (Cheng et al. 2020): NAME_im.jpg and NAME_gt.png side by side, up to 5000x3600 pixels.

Verified in the authors' documentation: the endings `_im.jpg` and `_gt.png`, one object per mask, 50 validation and 100
test objects, no commercial use. Not verifiable offline: how the archive names the folders of its two parts.
"""

from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.pairs import BrightParams, Files, read_bright


class Params(BrightParams):
    """Where the files are (default: beside each other in the raw folder) and how masks are taken apart."""

    files: Files = {"test": ("*_im.jpg", "*_gt.png")}
    splits: list[str] = ["test"]
    licence: str = TABLE["big"].stated
    quality: Quality = "human"


read = read_bright
