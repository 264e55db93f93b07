"""Photos with numbered regions: images/NAME, and masks/NAME.png or, of several people, masks/NAME_annotatorK.png.

A value of 0 is unlabelled, every other one a region. A mask's label is its region's number; where several people
segmented a photo, it is `annotatorK/number`, and their regions overlap.
"""

import re
from collections import defaultdict
from functools import partial
from pathlib import Path

from uncertsam.base.errors import UserError
from uncertsam.data.format import Quality
from uncertsam.data.raw.adapters.base import Labels, Parts, RawImage, Reading, SizeParams, need_folder
from uncertsam.data.raw.adapters.folder import NO_IMAGE, NO_MASK, OneGroup, group_hints
from uncertsam.data.raw.found import alone, below, by_stem, rest
from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.masks import read_codes, split_indices

LAYOUT = "images/NAME.jpg and masks/NAME.png, or masks/NAME_annotatorK.png for each annotator"
ANNOTATOR = re.compile(r"(.+)_annotator(\d+)")


class Params(SizeParams):
    """What is known of the set. group: a pattern whose one group names an image's scene (null: see `group_hints`)."""

    quality: Quality = "human"
    licence: str = "not stated"
    group: OneGroup | None = None


def read(root: Path, params: Params) -> Reading:
    """Each photo with the regions of all its annotators. Raises UserError where no photo has a mask."""
    parts = [need_folder(root / part, LAYOUT).name for part in ("images", "masks")]
    (photos, others), (masks, no_masks) = (by_stem(root, part) for part in parts)
    of_photo: dict[str, list[Path]] = defaultdict(list)
    for stem, path in masks.items():
        of_photo[_photo(stem)].append(path)
    if not photos.keys() & of_photo.keys():
        raise UserError(f"{root} has no photo with a mask of the same name.", f"The expected layout is {LAYOUT}.")
    groups, sentence = group_hints(list(photos), params.group)
    images = [
        RawImage(below(root, path), path, partial(_regions, of_photo[stem]), groups[stem], params.quality)
        for stem, path in photos.items()
        if stem in of_photo
    ]
    unknown = {stem: path for stem, path in masks.items() if _photo(stem) not in photos}
    skipped = [*others, *no_masks, *alone(root, photos, of_photo, NO_MASK), *alone(root, unknown, (), NO_IMAGE)]
    known = {below(root, path) for path in [*photos.values(), *masks.values()]} | {one.file for one in skipped}
    rules = ["Every value of a mask but 0 is a region of its own.", sentence]
    if any(len(paths) > 1 for paths in of_photo.values()):
        rules.append("Photos with several annotators have the regions of all of them, which overlap.")
    outside = rest(root, known, f"it is not in the layout {LAYOUT}")
    return Reading(images, "instances", params.licence, rules, skipped + outside)


def _photo(stem: str) -> str:
    """Of which photo a mask is, by their names below masks/ and images/."""
    several = ANNOTATOR.fullmatch(stem)
    return several.group(1) if several else stem


def _regions(paths: list[Path]) -> Labels:
    """The regions of every annotator. Raises Unusable on a broken file, on colours, and where the sizes differ."""
    masks: Parts = []
    shapes = set()
    for path in paths:
        several = ANNOTATOR.fullmatch(path.stem)
        codes = read_codes(path)
        if codes.ndim == 3:
            raise Unusable(f"{path.name} has colours where region numbers are expected")
        shapes.add(codes.shape)
        prefix = f"annotator{several.group(2)}/" if several else ""
        masks += [(f"{prefix}{value}", mask) for value, mask in split_indices(codes).items()]
    if len(shapes) > 1:
        raise Unusable(f"its masks differ in size ({', '.join(f'{w}x{h}' for h, w in sorted(shapes))})")
    height, width = shapes.pop()
    return Labels((height, width), masks)
