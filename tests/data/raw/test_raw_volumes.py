"""Volumes as their authors lay them out (the slices themselves: test_volumes.py)."""

from pathlib import Path

import pytest
from raw_sets import benchmark, found, msd, nifti, nifti_file, volume

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import read_raw


def test_msd_names_labels_groups_patients_and_lists_what_is_missing(tmp_path: Path) -> None:
    reading = read_raw("msd", msd(tmp_path), {})
    assert {image.group for image in reading.images} == {"spleen_10", "spleen_2"}
    assert reading.images[0].name == "Task09_Spleen/imagesTr/spleen_10.nii.gz#axial_0002"
    assert [(s.file, s.reason) for s in reading.skipped] == [
        ("imagesTr/spleen_99.nii.gz", "spleen_99.nii.gz is listed but not there")
    ]
    inside = read_raw("msd", tmp_path / "Task09_Spleen", {})
    assert [i.name for i in inside.images] == [i.name.removeprefix("Task09_Spleen/") for i in reading.images]


def test_all_slices_of_a_patient_go_to_one_split(tmp_path: Path) -> None:
    split = benchmark(msd(tmp_path / "raw"), "msd")
    groups = {record.source.split("#")[0]: set[str]() for record in split}
    for record in split:
        groups[record.source.split("#")[0]].add(record.group)
    assert [len(g) for g in groups.values()] == [1, 1] and len(set.union(*groups.values())) == 2


@pytest.mark.parametrize(
    ("text", "message"), [("{", "Invalid JSON"), ("{}", "training: Field required"), (None, "dataset.json is missing")]
)
def test_a_wrong_task_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = msd(tmp_path) / "Task09_Spleen" / "dataset.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_raw("msd", tmp_path, {})


def test_nifti_takes_chosen_labels_names_and_patterns(tmp_path: Path) -> None:
    (nifti(tmp_path) / "images").rename(tmp_path / "raw")
    for path in [*(tmp_path / "raw").iterdir(), *(tmp_path / "labels").iterdir()]:
        path.rename(path.with_name(f"p1_{path.parent.name}.nii.gz"))
    options = {"files": [["raw/*_raw.nii.gz", "labels/*_labels.nii.gz"]], "labels": [2], "names": {2: "spot"}}
    reading = read_raw("nifti", tmp_path, options)
    assert [image.name for image in reading.images] == ["raw/p1_raw.nii.gz#axial_0003"]
    assert reading.images[0].group == "p1" and found(reading.images[0].read_labels()) == {"spot": 9}


def test_several_patterns_share_a_folder(tmp_path: Path) -> None:
    voxels, labels = volume()
    for name in ("p1_ct", "p2_mr"):
        nifti_file(tmp_path / f"{name}.nii.gz", voxels)
        nifti_file(tmp_path / f"{name[:2]}_seg.nii.gz", labels)
    reading = read_raw("nifti", tmp_path, {"files": [["*_ct.nii.gz", "*_seg.nii.gz"], ["*_mr.nii.gz", "*_seg.nii.gz"]]})
    assert {image.group for image in reading.images} == {"p1", "p2"} and not reading.skipped


def test_a_volume_that_fits_two_patterns_is_refused(tmp_path: Path) -> None:
    both = ["images/*.nii.gz", "labels/*.nii.gz"]
    with pytest.raises(UserError, match="fits two of the patterns"):
        read_raw("nifti", nifti(tmp_path), {"files": [both, both]})
