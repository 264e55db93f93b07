"""Anybody's own data: a folder with `images/` and `masks/`, paired by file name without its ending.

Sub-folders count: images/a/b.jpg has masks/a/b.png. Of a file with several pages (TIFF, GIF, WebP, PNG, AVIF) each is
an image, and has the page of the mask file at the same place. Whatever else lies in the folder is listed, except hidden
files and what systems leave (Thumbs.db, desktop.ini, __MACOSX).
"""

import hashlib
import re
import unicodedata
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pydantic

from uncertsam.base.errors import UserError
from uncertsam.base.rng import numpy_generator
from uncertsam.data.format import Quality
from uncertsam.data.raw.adapters._mask_encoding import Coding, recognise
from uncertsam.data.raw.adapters.base import (
    ComponentParams,
    Labels,
    Parts,
    RawImage,
    Reading,
    Skipped,
    need_folder,
    plural,
)
from uncertsam.data.raw.found import (
    VOLUME_LABELS,
    Views,
    alone,
    below,
    by_stem,
    files_below,
    is_noise,
    is_volume,
    name_of,
    page_pairs,
    rest,
)
from uncertsam.data.raw.images import SUFFIXES, Page, Source, Unusable, read_photo
from uncertsam.data.raw.masks import Mask, area_of
from uncertsam.data.raw.pairs import separated

LAYOUT = "images/NAME.jpg and masks/NAME.png (or tif, webp, bmp, gif, jp2, avif and the like)"
PARTS = ("images", "masks")
NO_MASK, NO_IMAGE = (f"it has no {other} of the same name" for other in ("mask", "image"))
# prefixes that number images, not frames of one scene
SERIAL = {"train", "val", "valid", "validation", "test", "dev", "img", "image", "photo", "dsc", "dscn"}


def _pattern(text: str, groups: int | None = None) -> str:
    try:
        found = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if groups not in (None, found):
        raise ValueError("the expression needs exactly one group in parentheses")
    return text


Pattern = Annotated[str, pydantic.AfterValidator(_pattern)]
OneGroup = Annotated[str, pydantic.AfterValidator(partial(_pattern, groups=1))]


class Params(ComponentParams):
    """What is not, or should not be, recognised. Patterns are searched in names without ending, below images/.

    background: the code that is no mask (a number, [r, g, b], or null where every code is a mask); ignore: codes of
    void pixels; components: separate each mask by App. B; group: a pattern whose one group names the scene;
    quality_by_name: {pattern: quality}, the first hit counts; max_masks_per_image: a seeded sample of that many.
    """

    kind: Literal["auto", "binary", "indexed", "colour"] = "auto"
    background: int | tuple[int, int, int] | None = 0
    ignore: list[int | tuple[int, int, int]] = []
    components: bool = False
    min_area: int = pydantic.Field(0, ge=0)  # pixels
    group: OneGroup | None = None
    quality: Quality = "unknown"
    quality_by_name: dict[Pattern, Quality] = {}
    licence: str = "not stated"
    exclude: list[Pattern] = []
    max_masks_per_image: int | None = pydantic.Field(None, ge=1)


def discover(root: Path) -> dict[str, Path]:
    """Every sub-folder that is a set (`adapter_of`), as {name that is safe in a pipeline: folder}, sorted by folder.

    Raises UserError where there is none, or where two folders get the same name.
    """
    folders = [folder for folder in _entries(need_folder(root, f"ROOT/NAME/ with {LAYOUT}")) if adapter_of(folder)]
    if not folders:
        hint = f"It is a dataset itself: give {root.resolve().parent}." if adapter_of(root) else f"Expected: {LAYOUT}."
        raise UserError(f"No sub-folder of {root} has both images/ and masks/.", hint)
    found: dict[str, Path] = {}
    for folder in folders:
        name = safe_name(folder.name)
        if name in found:
            raise UserError(f"{found[name]} and {folder} would both be named '{name}'.", "Rename one of them.")
        found[name] = folder
    return found


def strangers(root: Path) -> list[Skipped]:
    """What lies in `root` and is no set."""
    reasons = {True: "it does not have both images/ and masks/", False: "it lies in no set"}
    return [Skipped(path.name, reasons[path.is_dir()]) for path in _entries(root) if not adapter_of(path)]


def adapter_of(folder: Path) -> str | None:
    """Which adapter reads a set: `nifti` where images/ holds more volumes than pictures, else `folder`.

    None where it is no set: it needs images/ and masks/, or labels/ for volumes.
    """
    if not (folder / "images").is_dir():
        return None
    files = list(files_below(folder / "images"))
    volumes = sum(map(is_volume, files))
    if volumes > sum(path.suffix.lower() in SUFFIXES for path in files):
        return "nifti" if any((folder / part).is_dir() for part in VOLUME_LABELS) else None
    return "folder" if (folder / "masks").is_dir() else None


def safe_name(folder: str) -> str:
    """A folder's name in letters, digits, - and _ only; a hash where nothing is left."""
    ascii_only = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", ascii_only).strip("_-")
    return safe or f"set_{hashlib.sha256(folder.encode()).hexdigest()[:8]}"


def read(root: Path, params: Params) -> Reading:
    """Pair images with masks, recognise how the masks are coded, and name each image's group.

    Raises UserError on two images of one name, on an empty set, and where the coding cannot be told.
    """
    found, skipped, others = _paired(root, params)
    masks = [mask for views in found.values() for _, mask in views]
    coding, choices = recognise(masks, params.kind, params.background, params.ignore)
    groups, sentence = group_hints(list(found), params.group)
    images: list[RawImage] = []
    for stem, views in found.items():
        quality = next((q for rule, q in params.quality_by_name.items() if re.search(rule, stem)), params.quality)
        for image, mask in views:
            labels, picture = partial(_labels, mask, coding, params), partial(read_photo, image)
            name, file = name_of(root, image), image.file if isinstance(image, Page) else image
            images.append(RawImage(name, file, labels, groups[stem], quality, picture, mask))
    rules = [*choices, sentence, *_paged(found, others), *_rules(params)]
    return Reading(images, coding.kind, params.licence, rules, skipped)


def group_hints(stems: list[str], rule: str | None) -> tuple[dict[str, str], str]:
    """The scene of each image, and the rule in a sentence.

    Default: a name without its last number, if what is left is more than digits, is no serial prefix such as IMG or
    train, and fits less than half of the images (otherwise every camera's counter would be one scene).
    """
    if rule is not None:
        return _by_pattern(stems, rule)
    prefixes = {stem: _prefix(stem) for stem in stems}
    counts = Counter(prefixes.values())
    scenes = {p for p, n in counts.items() if p and not _is_serial(p) and 2 * n < len(stems)}
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


def _entries(root: Path) -> list[Path]:
    return [path for path in sorted(root.iterdir()) if not is_noise(path.name)]


def _is_serial(prefix: str) -> bool:
    return prefix.rstrip("/").rpartition("/")[2].lower() in SERIAL


def _paired(root: Path, params: Params) -> tuple[dict[str, Views], list[Skipped], int]:
    """The views by name, what is left out, and how many files hold more than their pages."""
    (images, no_images), (masks, no_masks) = (by_stem(root, part) for part in PARTS if need_folder(root / part, LAYOUT))
    pairs: dict[str, Views] = {}
    skipped, others = no_images, 0
    for stem, path in images.items():
        try:
            views, lost, more = page_pairs(root, path, _partner(stem, masks, params), params.max_megapixels)
        except Unusable as error:
            skipped.append(Skipped(below(root, path), str(error)))
            continue
        skipped, others = skipped + lost, others + more
        if views:
            pairs[stem] = views
    if not pairs:
        first = f", the first because {skipped[0].reason}" if skipped else ""
        raise UserError(
            f"{root} has no image with a mask of the same name ({plural(len(skipped), 'image')} left out{first}).",
            f"The expected layout is {LAYOUT}.",
        )
    lonely = alone(root, masks, images, NO_IMAGE)
    inside = {below(root, path) for part in PARTS for path in [root / part, *files_below(root / part)]}
    return pairs, skipped + lonely + no_masks + rest(root, inside, "it is in neither images/ nor masks/"), others


def _partner(stem: str, masks: dict[str, Path], params: Params) -> Path:
    """The mask of an image. Raises Unusable where the image is not even to be opened."""
    rule = next((rule for rule in params.exclude if re.search(rule, stem)), None)
    if rule is not None:
        raise Unusable(f"it is excluded by '{rule}'")
    if stem not in masks:
        raise Unusable(NO_MASK)
    return masks[stem]


def _paged(found: dict[str, Views], others: int) -> list[str]:
    """What is said of files with several pages."""
    stacks = [len(views) for views in found.values() if any(isinstance(image, Page) for image, _ in views)]
    lines = [
        f"{plural(sum(stacks), 'page')} of {plural(len(stacks), 'file')} are images; pages of a file stay together."
    ]
    passed = f"Passed over in {plural(others, 'file')}: an MPO's further images, a TIFF's smaller copies of a page."
    return (lines if stacks else []) + ([passed] if others else [])


def _rules(params: Params) -> list[str]:
    rules = [params.sentence()] if params.components else []
    if params.min_area and not params.components:
        rules.append(f"Masks of at most {params.min_area} pixels are left out.")
    if params.max_masks_per_image:
        rules.append(f"Of each image at most {params.max_masks_per_image} masks are kept, drawn by a seeded generator.")
    return rules


def _labels(source: Source, coding: Coding, params: Params) -> Labels:
    shape, found, ignore = coding.decode(source)
    labels = separated(found, params) if params.components and found else _large(shape, found, params.min_area)
    kept = _sample(labels.masks, params.max_masks_per_image, source.name if isinstance(source, Page) else source.stem)
    lost = len(labels.masks) - len(kept)
    beyond = [f"{plural(lost, 'mask')} beyond {len(kept)} in one image"] if lost else []
    return Labels(shape, kept, ignore, labels.skipped + beyond)


def _large(shape: tuple[int, int], found: dict[str, Mask], most: int) -> Labels:
    """The masks with more than `most` pixels, and those with none, of which others say what is wrong."""
    areas = {label: area_of(mask) for label, mask in found.items()}
    small = {label: area for label, area in areas.items() if 0 < area <= most}
    reasons = [f"{label}: the mask has {plural(n, 'pixel')}, not more than {most}" for label, n in small.items()]
    return Labels(shape, [(label, mask) for label, mask in found.items() if label not in small], skipped=reasons)


def _sample(masks: Parts, most: int | None, name: str) -> Parts:
    if most is None or len(masks) <= most:
        return masks
    chosen = numpy_generator(0, "masks of one image", name).choice(len(masks), most, replace=False)
    return [masks[i] for i in np.sort(chosen)]
