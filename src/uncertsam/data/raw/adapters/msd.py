"""The Medical Segmentation Decathlon's raw layout (Antonelli et al. 2022), by default its spleen (Task09_Spleen).

Verified in public copies of its dataset.json: {imagesTr,labelsTr}/spleen_N.nii.gz, named by `training` as
{image: ./imagesTr/..., label: ./labelsTr/...}; 41 volumes with labels and 20 without; 1 is the spleen; CC-BY-SA 4.0.
Not verifiable offline: how the authors of the benchmark turned their slices.
"""

from pathlib import Path

import pydantic

from uncertsam.base.errors import UserError, first_fault
from uncertsam.data.format import Quality
from uncertsam.data.licences import TABLE
from uncertsam.data.raw.adapters._volumes import VolumeParams, read_slices
from uncertsam.data.raw.adapters.base import Reading, Skipped
from uncertsam.data.raw.pairs import Pair


class Params(VolumeParams):
    """Which task is read. Its folder may be the raw set itself, or lie in it."""

    task: str = "Task09_Spleen"
    licence: str = TABLE["msd"].stated
    quality: Quality = "human"


class _Case(pydantic.BaseModel):
    """A volume and its label, relative to the task's folder."""

    image: str
    label: str


class _Task(pydantic.BaseModel):
    """dataset.json; `labels` are names by value."""

    training: list[_Case]
    labels: dict[int, str]


def read(root: Path, params: Params) -> Reading:
    """List the slices of the labelled volumes. Raises UserError where dataset.json is missing or another one."""
    folder = root / params.task if (root / params.task).is_dir() else root
    task = _task(folder / "dataset.json")
    pairs, lost = _pairs(folder, task)
    images, skipped, notes = read_slices(root, pairs, params, params.quality, task.labels)
    return Reading(images, "indexed", params.licence, [*params.sentences(), *notes], lost + skipped)


def _task(path: Path) -> _Task:
    try:
        return _Task.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", "Name the folder that the task's archive was unpacked to.") from None
    except pydantic.ValidationError as error:
        raise UserError(f"{path} is no Decathlon task: {first_fault(error)}.", "Restore the file.") from None


def _pairs(folder: Path, task: _Task) -> tuple[list[Pair], list[Skipped]]:
    pairs: list[Pair] = []
    lost: list[Skipped] = []
    for case in task.training:
        image, label = folder / case.image, folder / case.label
        absent = next((path for path in (image, label) if not _inside(folder, path)), None)
        if absent is None:
            pairs.append(Pair(image.name.removesuffix(".gz").removesuffix(".nii"), image, label))
        else:
            lost.append(Skipped(case.image.removeprefix("./"), f"{absent.name} is listed but not there"))
    return pairs, lost


def _inside(folder: Path, path: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())
