"""Photos with numbered regions: images/NAME, and masks/NAME.png or, of several people, masks/NAME_annotatorK.png.

A value of 0 is unlabelled, every other one a region. A mask's label is its region's number; where several people
segmented a photo, it is `annotatorK/number`, and their regions overlap.
"""

import re
from functools import partial
from itertools import groupby
from pathlib import Path

from uncertsam.base.errors import UserError
from uncertsam.data.format import Quality
from uncertsam.data.raw._masks import read_codes, split_indices
from uncertsam.data.raw.adapters.base import Labels, Parts, RawImage, Reading, SizeParams, Skipped, need_folder
from uncertsam.data.raw.adapters.folder import group_hints
from uncertsam.data.raw.found import below, rest
from uncertsam.data.raw.images import SUFFIXES, Unusable

LAYOUT = "images/NAME.jpg and masks/NAME.png, or masks/NAME_annotatorK.png for each annotator"
ANNOTATOR = re.compile(r"(.+)_annotator(\d+)")


class Params(SizeParams):
    """What is known of the set. group: a pattern whose one group names an image's scene (null: see `group_hints`)."""

    quality: Quality = "human"
    licence: str = "not stated"
    group: str | None = None


def read(root: Path, params: Params) -> Reading:
    """Each photo with the regions of all its annotators. Raises UserError where no photo has a mask."""
    masks = _masks_by_name(need_folder(root / "masks", LAYOUT))
    photos = {p.stem: p for p in sorted(need_folder(root / "images", LAYOUT).iterdir()) if p.suffix.lower() in SUFFIXES}
    if not photos.keys() & masks.keys():
        raise UserError(f"{root} has no photo with a mask of the same name.", f"The expected layout is {LAYOUT}.")
    groups, sentence = group_hints(list(photos), params.group)
    images = [
        RawImage(f"images/{path.name}", path, partial(_regions, masks[stem]), groups[stem], params.quality)
        for stem, path in photos.items()
        if stem in masks
    ]
    skipped = [
        Skipped(f"images/{p.name}", "it has no mask of the same name") for s, p in photos.items() if s not in masks
    ]
    alone = [path for stem, paths in masks.items() if stem not in photos for path in paths]
    skipped += [Skipped(f"masks/{path.name}", "it has no image of the same name") for path in alone]
    used = {image.name for image in images} | {below(root, path) for paths in masks.values() for path in paths}
    skipped += rest(root, used | {one.file for one in skipped}, f"it is not in the layout {LAYOUT}")
    rules = ["Every value of a mask but 0 is a region of its own.", sentence]
    if any(len(paths) > 1 for paths in masks.values()):
        rules.append("Photos with several annotators have the regions of all of them, which overlap.")
    return Reading(images, "instances", params.licence, rules, skipped)


def _masks_by_name(folder: Path) -> dict[str, list[Path]]:
    def name(path: Path) -> str:
        several = ANNOTATOR.fullmatch(path.stem)
        return several.group(1) if several else path.stem

    files = sorted((p for p in folder.iterdir() if p.suffix.lower() == ".png"), key=lambda p: (name(p), p.name))
    return {stem: list(paths) for stem, paths in groupby(files, name)}


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
