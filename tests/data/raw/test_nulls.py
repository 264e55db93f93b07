"""JSON as tools write it: null where nothing is known, numbers as text; a broken entry costs itself alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import Reading, read_raw

SHEET = "annotations/instances_val2017.json"
SQUARE = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]]
GOOD: dict[str, Any] = {"id": 1, "image_id": 1, "category_id": 5, "iscrowd": 0, "segmentation": SQUARE, "area": 100}


def read(root: Path, *annotations: Any, encoding: str = "utf-8", **changes: Any) -> Reading:
    for part in ("val2017", "annotations"):
        (root / part).mkdir(exist_ok=True)
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(root / "val2017" / "a.png")
    images = [{"id": 1, "file_name": "a.png", "height": 20, "width": 20}]
    value = {"images": images, "annotations": annotations, "categories": [{"id": 5, "name": "cat"}]} | changes
    (root / SHEET).write_text(json.dumps(value), encoding=encoding)
    return read_raw("coco", root, {})


def labels(reading: Reading) -> list[str]:
    return [label for image in reading.images for label, _ in image.read_labels().masks]


@pytest.mark.parametrize(
    ("change", "label"),
    [
        *(({"iscrowd": value}, "cat/1") for value in (None, False, 0, 0.0, "0", "false")),
        *(({key: None}, "cat/1") for key in ("bbox", "area", "score", "attributes")),
        *(({"category_id": value}, "cat/1") for value in (5.0, "5")),
        ({"category_id": None}, "object/1"),
        ({"category_id": 6}, "6/1"),
        ({"image_id": "1"}, "cat/1"),
    ],
)
def test_what_is_clear_is_used(tmp_path: Path, change: dict[str, Any], label: str) -> None:
    reading = read(tmp_path, GOOD | change)
    assert labels(reading) == [label] and not reading.skipped


@pytest.mark.parametrize("key", ["iscrowd", "category_id", "bbox", "area"])
def test_an_entry_that_is_missing_is_as_null(tmp_path: Path, key: str) -> None:
    entry = {name: value for name, value in GOOD.items() if name != key}
    assert labels(read(tmp_path, entry)) == labels(read(tmp_path, GOOD | {key: None}))


@pytest.mark.parametrize("crowd", [1, 1.0, True, "1", "true"])
def test_a_crowd_is_left_out_however_it_is_marked(tmp_path: Path, crowd: Any) -> None:
    assert labels(read(tmp_path, GOOD, GOOD | {"id": 2, "iscrowd": crowd})) == ["cat/1"]


@pytest.mark.parametrize(
    "broken",
    [
        None, [], "text", GOOD | {"id": None}, GOOD | {"id": 2.5}, GOOD | {"id": 2, "image_id": None},
        GOOD | {"id": 2, "category_id": "cat"}, GOOD | {"id": 2, "iscrowd": 7},
    ],
)  # fmt: skip
def test_what_is_not_clear_is_listed_and_the_rest_is_used(tmp_path: Path, broken: Any) -> None:
    reading = read(tmp_path, broken, GOOD)
    assert labels(reading) == ["cat/1"]
    assert [(skip.file, skip.reason.startswith("annotations.0")) for skip in reading.skipped] == [(SHEET, True)]


@pytest.mark.parametrize("segmentation", [None, [], {}])
def test_an_annotation_without_a_mask_is_listed_with_its_image(tmp_path: Path, segmentation: Any) -> None:
    found = read(tmp_path, GOOD, GOOD | {"id": 2, "segmentation": segmentation}).images[0].read_labels()
    assert len(found.masks) == 1 and found.skipped == ["cat/2: it has no segmentation"]


def test_nulls_around_the_annotations_are_passed_over(tmp_path: Path) -> None:
    assert labels(read(tmp_path, GOOD, categories=None, info=None, licenses=None)) == ["5/1"]
    assert labels(read(tmp_path, GOOD, categories=[{"id": 5, "name": None}])) == ["5/1"]
    assert labels(read(tmp_path, GOOD, encoding="utf-8-sig")) == ["cat/1"]


def test_a_broken_image_entry_is_listed_but_one_that_can_be_read_is_needed(tmp_path: Path) -> None:
    bad = {"id": 2, "file_name": "b.png", "height": None, "width": 20}
    good = {"id": 1, "file_name": "a.png", "height": 20, "width": 20}
    assert [s.reason.split(":")[0] for s in read(tmp_path, GOOD, images=[good, bad]).skipped] == ["images.1.height"]
    with pytest.raises(UserError, match=r"images\.0\.height"):
        read(tmp_path, GOOD, images=[bad])


def test_a_picture_that_the_json_does_not_name_is_listed(tmp_path: Path) -> None:
    read(tmp_path, GOOD)
    (tmp_path / "val2017" / "b.png").touch()
    assert [skip.file for skip in read(tmp_path, GOOD).skipped] == ["val2017/b.png"]
