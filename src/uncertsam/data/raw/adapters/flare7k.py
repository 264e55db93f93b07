"""Flare7K's real test set (Dai et al. 2022): test_data/real/{input,gt,mask}, the masks coded by colour.

Verified in the authors' repository: the folders, and the colours of their evaluation (glare yellow, streak red, light
source blue, all else black). Not verifiable offline: the files' names. The authors pair them in sorted order; here
they are paired by name, and `files` says how.
"""

from functools import partial
from pathlib import Path

import pydantic

from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.adapters.base import ComponentParams, Reading
from uncertsam.data.raw.masks import Colour
from uncertsam.data.raw.pairs import Files, PairParams, by_colour, colour_rule, read_pairs


class Params(PairParams, ComponentParams):
    """Where the files are, which colours are targets, and how masks are taken apart.

    The split `synthetic` holds generated flares: give it `quality: synthetic`.
    """

    files: Files = {
        "real": ("test_data/real/input/input_*.png", "test_data/real/mask/mask_*.png"),
        "synthetic": ("test_data/synthetic/input/input_*.png", "test_data/synthetic/mask/mask_*.png"),
    }
    splits: list[str] = ["real"]
    colours: dict[str, Colour] = pydantic.Field(
        {"glare": (255, 255, 0), "streak": (255, 0, 0), "light source": (0, 0, 255)}, min_length=1
    )
    licence: str = TABLE["flare7k"].stated
    quality: Quality = "human"


def read(root: Path, params: Params) -> Reading:
    """List the images with flare: split by colour, then by component. Raises UserError where none has a mask."""
    choices = [colour_rule(params.colours), params.sentence()]
    return read_pairs(root, params, "colour", partial(by_colour, colours=params.colours, rule=params), choices)
