"""Trans10K's raw layout (version 1, Xie et al.): {validation,test}/{easy,hard}/{images,masks}, train/{images,masks}.

Verified in several public loaders: these folders; NAME.jpg has NAME_mask.png; black is background, white is stuff, and
things have one full channel of three. Not verifiable offline: that this channel is the red one (as one loader draws
it), and the licence.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pydantic

from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.adapters.base import ComponentParams, Labels, Reading
from uncertsam.data.raw.masks import Colour, read_colours
from uncertsam.data.raw.pairs import Files, PairParams, by_colour, colour_rule, read_pairs, separated

MERGED = "A mask holds every pixel that is not black: things and stuff together, as in App. B of the paper."


def _files(folder: str) -> tuple[str, str]:
    return f"{folder}/images/*.jpg", f"{folder}/masks/*_mask.png"


class Params(PairParams, ComponentParams):
    """Which splits are read and how masks are taken apart.

    by_class: false: things and stuff are one mask before it is separated (App. B); true: split by `colours` first.
    """

    files: Files = {
        "test_easy": _files("test/easy"),
        "test_hard": _files("test/hard"),
        "validation_easy": _files("validation/easy"),
        "validation_hard": _files("validation/hard"),
        "train": _files("train"),
    }
    splits: list[str] = ["test_easy", "test_hard"]
    by_class: bool = False
    colours: dict[str, Colour] = pydantic.Field({"thing": (255, 0, 0), "stuff": (255, 255, 255)}, min_length=1)
    licence: str = TABLE["trans10k"].stated
    quality: Quality = "human"


def read(root: Path, params: Params) -> Reading:
    """List the images with something transparent. Raises UserError where a split has none."""
    if params.by_class:
        labels = partial(by_colour, colours=params.colours, rule=params)
        return read_pairs(root, params, "colour", labels, [colour_rule(params.colours), params.sentence()])
    return read_pairs(root, params, "binary", partial(_merged, params=params), [MERGED, params.sentence()])


def _merged(path: Path, params: Params) -> Labels:
    return separated({"transparent": np.asarray(read_colours(path).any(axis=2))}, params)
