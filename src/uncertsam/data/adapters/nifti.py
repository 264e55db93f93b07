"""Any folder of NIfTI volumes with label volumes: CT, MR, or whatever else has three axes, cut along one of them."""

from pathlib import Path

import pydantic

from uncertsam.data.adapters.base import Reading
from uncertsam.data.format import Quality
from uncertsam.data.pairs import Pattern, below, paired
from uncertsam.data.volumes import VolumeParams, read_slices
from uncertsam.errors import UserError


class Params(VolumeParams):
    """Where the volumes are. `files` holds pairs of patterns, relative to the raw set: [volumes, labels].

    `*` stands for the patient: a volume and its label agree in it, and what agrees in it stays together. names: what
    the label values mean.
    """

    files: list[tuple[Pattern, Pattern]] = pydantic.Field([("images/*.nii.gz", "labels/*.nii.gz")], min_length=1)
    names: dict[int, str] = {}
    licence: str = "not stated"
    quality: Quality = "unknown"


def read(root: Path, params: Params) -> Reading:
    """List the slices with a chosen label. Raises UserError where no volume has a label file of the same name."""
    found = [paired(root, *patterns) for patterns in params.files]
    pairs = [pair for some, _ in found for pair in some]
    if len({pair.image for pair in pairs}) < len(pairs):
        raise UserError(f"A volume in {root} fits two of the patterns in `files`.", "Make them exclude each other.")
    images, skipped, notes = read_slices(root, pairs, params, params.quality, params.names)
    used = {below(root, path) for pair in pairs for path in (pair.image, pair.mask)}  # by another pattern, that is
    lonely = [skip for _, some in found for skip in some if skip.file not in used]
    return Reading(images, "indexed", params.licence, [*params.sentences(), *notes], lonely + skipped)
