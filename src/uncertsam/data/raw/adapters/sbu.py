"""SBU's raw layout (Vicente et al. 2016): SBU-Test/ShadowImages/NAME.jpg and SBU-Test/ShadowMasks/NAME.png.

Verified in several public loaders: these folders, and SBUTrain4KRecoveredSmall with the same two for training. Not
verifiable offline: whether each mask ends in .png. The training labels were recovered from noisy ones by an algorithm
(title and abstract of the dataset's paper), so give them `quality: derived`.
"""

from typing import ClassVar

from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.pairs import BrightParams, Files, read_bright


class Params(BrightParams):
    """Which split is read and how masks are taken apart."""

    label: ClassVar[str] = "shadow"
    files: Files = {
        "test": ("SBU-Test/ShadowImages/*.jpg", "SBU-Test/ShadowMasks/*.png"),
        "train": ("SBUTrain4KRecoveredSmall/ShadowImages/*.jpg", "SBUTrain4KRecoveredSmall/ShadowMasks/*.png"),
    }
    splits: list[str] = ["test"]
    licence: str = TABLE["sbu"].stated
    quality: Quality = "human"


read = read_bright
