"""Any folder of NIfTI volumes with label volumes: CT, MR, or whatever else has three axes, cut along one of them."""

from pathlib import Path

import pydantic

from uncertsam.base.errors import UserError
from uncertsam.data.format import Quality
from uncertsam.data.raw.adapters._volumes import VolumeParams, read_slices
from uncertsam.data.raw.adapters.base import Reading, Skipped, need_folder, plural
from uncertsam.data.raw.found import VOLUME_LABELS, alone, below, by_name, files_below, is_volume, rest
from uncertsam.data.raw.pairs import Pair, Pattern, paired

LAYOUT = "images/PATIENT.nii.gz and labels/PATIENT.nii.gz (or masks/; or .nii)"


class Params(VolumeParams):
    """Where the volumes are, and what the label values mean (`names`).

    files: null: every .nii and .nii.gz below images/ that has one of the same name below labels/, or else masks/,
    sub-folders included. Or pairs of patterns, relative to the raw set: [volumes, labels]; `*` stands for the patient:
    a volume and its label agree in it, and what agrees in it stays together.
    """

    files: list[tuple[Pattern, Pattern]] | None = pydantic.Field(None, min_length=1)
    names: dict[int, str] = {}
    licence: str = "not stated"
    quality: Quality = "unknown"


def read(root: Path, params: Params) -> Reading:
    """List the slices with a chosen label. Raises UserError where no volume has a label file of the same name."""
    pairs, lonely = _by_patterns(root, params.files) if params.files else _by_name(root)
    images, skipped, notes = read_slices(root, pairs, params, params.quality, params.names)
    known = {below(root, path) for pair in pairs for path in (pair.image, pair.mask)} | {skip.file for skip in lonely}
    others = rest(root, known, "it fits no pattern of `files`" if params.files else _other)
    return Reading(images, "indexed", params.licence, [*params.sentences(), *notes], lonely + skipped + others)


def _by_patterns(root: Path, files: list[tuple[str, str]]) -> tuple[list[Pair], list[Skipped]]:
    found = [paired(root, *patterns) for patterns in files]
    pairs = [pair for some, _ in found for pair in some]
    if len({pair.image for pair in pairs}) < len(pairs):
        raise UserError(f"A volume in {root} fits two of the patterns in `files`.", "Make them exclude each other.")
    used = {below(root, path) for pair in pairs for path in (pair.image, pair.mask)}  # by another pattern, that is
    return pairs, [skip for _, some in found for skip in some if skip.file not in used]


def _by_name(root: Path) -> tuple[list[Pair], list[Skipped]]:
    folder = next((part for part in VOLUME_LABELS if (root / part).is_dir()), VOLUME_LABELS[0])
    volumes, labels = (_volumes(need_folder(root / part, LAYOUT)) for part in ("images", folder))
    pairs = [Pair(name, path, labels[name]) for name, path in volumes.items() if name in labels]
    if not pairs:
        counts = f"{plural(len(volumes), 'volume')}, {plural(len(labels), 'label')}"
        raise UserError(f"{root} has no volume with a label of the same name ({counts}).", f"Expected: {LAYOUT}.")
    lonely = alone(root, volumes, labels, f"it has no label of the same name in {folder}/")
    return pairs, lonely + alone(root, labels, volumes, "it has no volume of the same name in images/")


def _volumes(folder: Path) -> dict[str, Path]:
    """By name without ending, below `folder`."""
    names = [(below(folder, path), path) for path in files_below(folder) if is_volume(path)]
    return by_name((name[: name.lower().rindex(".nii")], path) for name, path in names)


def _other(path: Path) -> str:
    """Why a file is no volume of the set."""
    if is_volume(path):
        return "it is neither in images/ nor in the folder of the labels"
    return "its ending is not that of a NIfTI volume; convert a volume to .nii.gz"
