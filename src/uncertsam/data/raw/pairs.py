"""Raw sets of images and mask files that are paired by name, and the ways in which their masks are coded."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
import pydantic

from uncertsam.base.errors import UserError
from uncertsam.data.format import Quality
from uncertsam.data.raw.adapters.base import (
    ComponentParams,
    Kind,
    Labels,
    RawImage,
    Reading,
    SizeParams,
    Skipped,
    plural,
)
from uncertsam.data.raw.found import alone, below, by_name, is_noise, rest
from uncertsam.data.raw.masks import Colour, Mask, area_of, read_colours, split_colours

BRIGHT = 127  # of 255
BRIGHT_RULE = f"A mask holds every pixel brighter than {BRIGHT}."


def _pattern(text: str) -> str:
    if text.count("*") != 1 or set("?[]\\") & set(text) or text.startswith("/") or ".." in text.split("/"):
        raise ValueError("a pattern is a path below the raw set with exactly one *")
    return text


Pattern = Annotated[str, pydantic.AfterValidator(_pattern)]
Files = dict[str, tuple[Pattern, Pattern]]


class PairParams(SizeParams, validate_default=True):
    """Which files are read, and what is known about them.

    files: {split: [pattern of images, pattern of masks]}, relative to the raw set; `*` stands for the name that an
    image and its mask share. splits: which of them are read.
    """

    files: Files
    splits: list[str]
    licence: str
    quality: Quality

    @pydantic.field_validator("splits")
    @classmethod
    def _known(cls, splits: list[str], info: Any) -> list[str]:  # beartype cannot check pydantic's ValidationInfo
        unknown = set(splits) - set(info.data.get("files", splits))
        if unknown:
            raise ValueError(f"`files` has no split {min(unknown)!r}")
        if not splits or len(set(splits)) < len(splits):
            raise ValueError("name one or more splits, each once")
        return splits


class BrightParams(PairParams, ComponentParams):
    """Masks whose bright pixels are taken apart into components, each called `label`."""

    label: ClassVar[str] = "object"


class Pair(NamedTuple):
    """An image, its mask, and the name that they share."""

    name: str
    image: Path
    mask: Path


def paired(root: Path, images: str, masks: str) -> tuple[list[Pair], list[Skipped]]:
    """The files below `root` that fit two patterns and agree in what `*` stands for; and those without a partner.

    Raises UserError where there is no pair at all, or where two files have the same name.
    """
    found, answers = _named(root, images), _named(root, masks)
    pairs = [Pair(name, path, answers[name]) for name, path in found.items() if name in answers]
    if not pairs:
        raise UserError(
            f"{root} has no image {images} with a mask {masks} of the same name ({plural(len(found), 'image')}, "
            f"{plural(len(answers), 'mask')}).",
            "Name the folder that the dataset was unpacked to, or set `files` to the patterns of this release.",
        )
    lonely = alone(root, found, answers, f"it has no mask of the same name ({masks})")
    return pairs, lonely + alone(root, answers, found, f"it has no image of the same name ({images})")


def read_pairs(
    root: Path, params: PairParams, kind: Kind, labels: Callable[[Path], Labels], choices: list[str]
) -> Reading:
    """The images of the chosen splits, each a scene of its own; `labels` takes one mask file apart."""
    images: list[RawImage] = []
    skipped: list[Skipped] = []
    for split in params.splits:
        pairs, lonely = paired(root, *params.files[split])
        skipped += lonely
        for _, image, mask in pairs:
            name = below(root, image)
            images.append(RawImage(name, image, partial(labels, mask), name, params.quality, mask=mask))
    used = {below(root, path) for image in images for path in (image.path, image.mask) if isinstance(path, Path)}
    rules = [*choices, f"Of the raw set this is read: {', '.join(params.splits)}."]
    others = rest(root, used | {skip.file for skip in skipped}, "it fits no pattern of `files` that is read")
    return Reading(images, kind, params.licence, rules, skipped + others)


def read_bright(root: Path, params: BrightParams) -> Reading:
    """List the images; of each mask the components of its bright pixels. Raises UserError where a split has none."""
    labels = partial(_bright_components, params=params)
    return read_pairs(root, params, "binary", labels, [BRIGHT_RULE, params.sentence()])


def bright(path: Path) -> Mask:
    """Every pixel brighter than 127 in any channel. Raises Unusable on a broken file."""
    return np.asarray(read_colours(path).max(axis=2) > BRIGHT)


def _bright_components(path: Path, params: BrightParams) -> Labels:
    return separated({params.label: bright(path)}, params)


def separated(masks: Mapping[str, Mask], rule: ComponentParams, reasons: Sequence[str] = ()) -> Labels:
    """Every mask taken apart into its components; `masks` has at least one, `reasons` are those for earlier losses."""
    found = [rule.parts(label, mask) for label, mask in masks.items()]
    height, width = next(iter(masks.values())).shape
    skipped = [*reasons, *(reason for _, lost in found for reason in lost)]
    return Labels((height, width), [part for parts, _ in found for part in parts], skipped=skipped)


def by_colour(path: Path, colours: Mapping[str, Colour], rule: ComponentParams) -> Labels:
    """The components of each named colour, and what is said of pixels that are neither these nor black.

    Raises Unusable on a broken file.
    """
    pixels = read_colours(path)
    found = split_colours(pixels)
    masks = {name: found.pop(colour, np.zeros(pixels.shape[:2], bool)) for name, colour in colours.items()}
    rest, named = sum(map(area_of, found.values())), ", ".join(map(_hex, list(found)[:3]))
    lost = [f"{plural(rest, 'pixel')} of {plural(len(found), 'other colour')} ({named})"] if rest else []
    return separated(masks, rule, lost)


def colour_rule(colours: Mapping[str, Colour]) -> str:
    """Which colour means what, for the report."""
    named = ", ".join(f"{name} {_hex(colour)}" for name, colour in colours.items())
    return f"Masks are split by colour ({named}); pixels of any other colour are in no mask."


def _named(root: Path, pattern: str) -> dict[str, Path]:
    """Files by what `*` stands for; hidden ones are passed over."""
    start, _, end = pattern.partition("*")
    files = [(below(root, path), path) for path in sorted(root.glob(pattern)) if path.is_file()]
    seen = [(name, path) for name, path in files if not any(map(is_noise, name.split("/")))]
    return by_name((name.removeprefix(start).removesuffix(end), path) for name, path in seen)


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
