"""Anybody's own data: a folder with `images/` and `masks/`, paired by file name without its ending."""

import hashlib
import re
import unicodedata
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pydantic

from uncertsam.data.adapters.base import (
    ComponentParams,
    Labels,
    Parts,
    RawImage,
    Reading,
    Skipped,
    need_folder,
    plural,
)
from uncertsam.data.coding import Coding, recognise
from uncertsam.data.format import Quality
from uncertsam.data.images import SUFFIXES, too_large
from uncertsam.data.masks import area_of
from uncertsam.errors import UserError
from uncertsam.rng import numpy_generator

LAYOUT = "images/NAME.jpg (or png, tif, webp, bmp) and masks/NAME.png (or tif, bmp, jpg)"
MASK_SUFFIXES = SUFFIXES - {".webp"}
# prefixes that number images, not frames of one scene
SERIAL = {"train", "val", "valid", "validation", "test", "dev", "img", "image", "photo", "dsc", "dscn"}


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


def _one_group(text: str) -> str:
    if re.compile(_pattern(text)).groups != 1:
        raise ValueError("the expression needs exactly one group in parentheses")
    return text


Pattern = Annotated[str, pydantic.AfterValidator(_pattern)]


class Params(ComponentParams):
    """What is not, or should not be, recognised. Patterns are searched in file names without their ending.

    background: the code that is no mask (a number, [r, g, b], or null where every code is a mask); ignore: codes of
    void pixels; components: separate each mask by App. B; group: a pattern whose one group names the scene;
    quality_by_name: {pattern: quality}, the first hit counts; max_masks_per_image: a seeded sample of that many.
    """

    kind: Literal["auto", "binary", "indexed", "colour"] = "auto"
    background: int | tuple[int, int, int] | None = 0
    ignore: list[int | tuple[int, int, int]] = []
    components: bool = False
    min_area: int = pydantic.Field(0, ge=0)  # pixels
    group: Annotated[str, pydantic.AfterValidator(_one_group)] | None = None
    quality: Quality = "unknown"
    quality_by_name: dict[Pattern, Quality] = {}
    licence: str = "not stated"
    exclude: list[Pattern] = []
    max_masks_per_image: int | None = pydantic.Field(None, ge=1)


def discover(root: Path) -> dict[str, Path]:
    """Every sub-folder with images/ and masks/ as {name that is safe in a pipeline: folder}, sorted by folder.

    Raises UserError where there is none, or where two folders get the same name.
    """
    folders = [f for f in sorted(need_folder(root, f"ROOT/NAME/ with {LAYOUT}").iterdir()) if _is_set(f)]
    if not folders:
        hint = f"It is a dataset itself: give {root.resolve().parent}." if _is_set(root) else f"Expected: {LAYOUT}."
        raise UserError(f"No sub-folder of {root} has both images/ and masks/.", hint)
    found: dict[str, Path] = {}
    for folder in folders:
        name = safe_name(folder.name)
        if name in found:
            raise UserError(f"{found[name]} and {folder} would both be named '{name}'.", "Rename one of them.")
        found[name] = folder
    return found


def safe_name(folder: str) -> str:
    """A folder's name in letters, digits, - and _ only; a hash where nothing is left."""
    ascii_only = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", ascii_only).strip("_-")
    return safe or f"set_{hashlib.sha256(folder.encode()).hexdigest()[:8]}"


def read(root: Path, params: Params) -> Reading:
    """Pair images with masks, recognise how the masks are coded, and name each image's group.

    Raises UserError on two images of one name, on an empty set, and where the coding cannot be told.
    """
    pairs, skipped = _paired(root, params)
    coding, choices = recognise([mask for _, mask in pairs.values()], params.kind, params.background, params.ignore)
    groups, sentence = group_hints(list(pairs), params.group)
    images = []
    for stem, (image, mask) in pairs.items():
        quality = next((q for rule, q in params.quality_by_name.items() if re.search(rule, stem)), params.quality)
        labels = partial(_labels, mask, coding, params)
        images.append(RawImage(image.relative_to(root).as_posix(), image, labels, groups[stem], quality, mask=mask))
    return Reading(images, coding.kind, params.licence, [*choices, sentence, *_rules(params)], skipped)


def group_hints(stems: list[str], rule: str | None) -> tuple[dict[str, str], str]:
    """The scene of each image, and the rule in a sentence.

    Default: a name without its last number, if what is left is more than digits, is no serial prefix such as IMG or
    train, and fits less than half of the images (otherwise every camera's counter would be one scene).
    """
    if rule is not None:
        return _by_pattern(stems, rule)
    prefixes = {stem: _prefix(stem) for stem in stems}
    counts = Counter(prefixes.values())
    scenes = {p for p, n in counts.items() if p and p.lower() not in SERIAL and 2 * n < len(stems)}
    groups = {stem: prefix if prefix in scenes else stem for stem, prefix in prefixes.items()}
    sentence = "Images whose names differ only in their last number stay together as one scene."
    serial = [f"'{p}' ({n} of {len(stems)})" for p, n in sorted(counts.items()) if p and n > 1 and p not in scenes]
    if serial:
        sentence += (
            f" Not so the names that begin with {', '.join(serial)}: this is taken for a serial number, and each image "
            "for a scene of its own; if they are frames of one video or slices of one patient, set `group`."
        )
    return groups, sentence


def _by_pattern(stems: list[str], rule: str) -> tuple[dict[str, str], str]:
    hits = {stem: re.search(rule, stem) for stem in stems}
    groups = {stem: (hit and hit.group(1)) or stem for stem, hit in hits.items()}
    misses = plural(sum(hit is None for hit in hits.values()), "name")
    return groups, f"Images stay together by the pattern '{rule}' in their names; it does not fit {misses}."


def _prefix(stem: str) -> str:
    """The stem without its last number; empty where there is no number or nothing but digits is left."""
    match = re.fullmatch(r"(.*?)[_-]?\d+", stem)
    return match.group(1) if match and not match.group(1).isdigit() else ""


def _is_set(folder: Path) -> bool:
    return not folder.name.startswith(".") and (folder / "images").is_dir() and (folder / "masks").is_dir()


def _paired(root: Path, params: Params) -> tuple[dict[str, tuple[Path, Path]], list[Skipped]]:
    images = _by_stem(need_folder(root / "images", LAYOUT), SUFFIXES)
    masks = _by_stem(need_folder(root / "masks", LAYOUT), MASK_SUFFIXES)
    pairs, skipped = {}, []
    for stem, path in images.items():
        reason = _left_out(stem, path, masks.get(stem), params)
        if reason is not None:
            skipped.append(Skipped(f"images/{path.name}", reason))
        else:
            pairs[stem] = (path, masks[stem])
    if not pairs:
        first = f", the first because {skipped[0].reason}" if skipped else ""
        raise UserError(
            f"{root} has no image with a mask of the same name ({plural(len(skipped), 'image')} left out{first}).",
            f"The expected layout is {LAYOUT}.",
        )
    alone = [path for stem, path in masks.items() if stem not in images]
    return pairs, skipped + [Skipped(f"masks/{path.name}", "it has no image of the same name") for path in alone]


def _left_out(stem: str, image: Path, mask: Path | None, params: Params) -> str | None:
    """Why an image is not even opened; masks are looked through before images are read, so their size counts here."""
    rule = next((rule for rule in params.exclude if re.search(rule, stem)), None)
    if rule is not None:
        return f"it is excluded by '{rule}'"
    if mask is None:
        return "it has no mask of the same name"
    reason = too_large(mask, params.max_megapixels)
    return too_large(image, params.max_megapixels) or (reason and f"its mask: {reason}")


def _by_stem(folder: Path, suffixes: frozenset[str]) -> dict[str, Path]:
    """Files by name without ending, in Unicode's composed form (systems differ: é is one character, or two)."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes or path.name.startswith("."):
            continue
        stem = unicodedata.normalize("NFC", path.stem)
        if stem in found:
            raise UserError(f"{found[stem]} and {path} have the same name.", "Keep one of them, or rename one.")
        found[stem] = path
    return found


def _rules(params: Params) -> list[str]:
    rules = [params.sentence()] if params.components else []
    if params.min_area and not params.components:
        rules.append(f"Masks of at most {params.min_area} pixels are left out.")
    if params.max_masks_per_image:
        rules.append(f"Of each image at most {params.max_masks_per_image} masks are kept, drawn by a seeded generator.")
    return rules


def _labels(path: Path, coding: Coding, params: Params) -> Labels:
    shape, found, ignore = coding.decode(path)
    masks: Parts = []
    skipped: list[str] = []
    for label, mask in found.items():
        if params.components:
            parts, reasons = params.parts(label, mask)
            masks, skipped = masks + parts, skipped + reasons
        elif 0 < (area := area_of(mask)) <= params.min_area:
            skipped.append(f"{label}: the mask has {plural(area, 'pixel')}, not more than {params.min_area}")
        else:
            masks.append((label, mask))
    kept = _sample(masks, params.max_masks_per_image, path.stem)
    if len(kept) < len(masks):
        skipped.append(f"{plural(len(masks) - len(kept), 'mask')} beyond {len(kept)} in one image")
    return Labels(shape, kept, ignore, skipped)


def _sample(masks: Parts, most: int | None, name: str) -> Parts:
    if most is None or len(masks) <= most:
        return masks
    chosen = numpy_generator(0, "masks of one image", name).choice(len(masks), most, replace=False)
    return [masks[i] for i in np.sort(chosen)]
