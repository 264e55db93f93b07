"""COCO: three ways to write a mask; a broken entry costs itself alone; what does not belong together is listed."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as masktools
from raw_sets import HEIGHT, TRIANGLE, WIDTH, Pixels, coco, coco_json, photo, save

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters._segmentations import decoded
from uncertsam.data.raw.adapters.base import Labels, Reading, read_raw


def coco_labels(root: Path, at: int = 0, **options: Any) -> Labels:
    return read_raw("coco", root, options).images[at].read_labels()


def test_three_ways_to_write_a_mask_are_read_and_crowds_left_out_unless_told(tmp_path: Path) -> None:
    labels = coco_labels(coco(tmp_path))
    masks = dict(labels.masks)
    assert np.array_equal(masks["hot dog/2"], masks["hot dog/3"]) and masks["hot dog/2"].sum() == 100
    assert masks["hot dog/1"][12, 12] and not masks["hot dog/1"][28, 28]
    assert 180 <= masks["hot dog/1"].sum() <= 220  # half of 20 x 20
    assert "hot dog/4" in dict(coco_labels(tmp_path, crowd=True).masks)
    choices = read_raw("coco", tmp_path, {}).choices
    assert "1 region of many objects at once (iscrowd) left out." in choices
    assert "1 image without such an annotation left out." in choices


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=40, deadline=None)
def test_both_run_length_forms_give_back_any_mask(mask: Pixels) -> None:
    flat = np.r_[False, mask.T.ravel()]
    edges = np.flatnonzero(np.diff(flat)) if flat.any() else np.array([], int)
    plain = np.diff(np.r_[0, edges, mask.size]).tolist()
    packed: Any = masktools.encode(np.asfortranarray(mask.astype(np.uint8)))
    for counts in (plain, packed["counts"].decode()):
        [(_, found)], _ = decoded([("a", {"size": list(mask.shape), "counts": counts})], *mask.shape)
        assert np.array_equal(found, mask)


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([], "no segmentation"),
        (None, "no segmentation"),
        ([[1, 2, 3, 4]], "4 numbers, not three points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "7 numbers"),
        ([[0, 0, 1e9, 0, 0, 1e9]], "far outside"),
        ([[0, 0, float("nan"), 0, 0, 9]], "neither polygons nor run lengths"),
        ("text", "neither polygons nor run lengths"),
        ({"size": [HEIGHT, WIDTH]}, "neither polygons nor run lengths"),
        ({"size": [HEIGHT, WIDTH], "counts": [-1, 4801]}, "neither polygons nor run lengths"),
        ({"size": [HEIGHT, WIDTH], "counts": [5]}, "cover 5 of 4800"),
        ({"size": [WIDTH, HEIGHT], "counts": [4800]}, "60x80 pixels, the image has 80x60"),
        ({"size": [HEIGHT, WIDTH], "counts": "é0"}, "RLE is broken"),
        ({"size": [HEIGHT, WIDTH], "counts": "04"}, "RLE is broken"),
    ],
)
def test_a_broken_annotation_is_listed_and_the_others_stay(tmp_path: Path, segmentation: Any, reason: str) -> None:
    none, [said] = decoded([("a", segmentation)], HEIGHT, WIDTH)
    assert not none and re.search(reason, said)
    value = coco_json()
    value["annotations"][0]["segmentation"] = segmentation
    if reason != "neither polygons nor run lengths" or segmentation == "text":  # JSON has no NaN
        labels = coco_labels(coco(tmp_path, value))
        assert len(labels.masks) == 2 and labels.skipped[0].startswith("hot dog/1: ")


def test_what_does_not_belong_together_is_listed(tmp_path: Path) -> None:
    value = coco_json()
    value["annotations"] += [
        {"id": 6, "image_id": 404, "category_id": 5, "segmentation": TRIANGLE},
        {"id": 7, "image_id": 12, "category_id": 5, "segmentation": TRIANGLE},
        {"id": 8, "image_id": 13, "category_id": 5, "segmentation": TRIANGLE},
    ]
    value["images"].append({"id": 13, "file_name": "../../13.jpg", "height": HEIGHT, "width": WIDTH})
    save(tmp_path / "13.jpg", photo())
    reading = read_raw("coco", coco(tmp_path / "raw", value), {})
    assert {s.file: s.reason for s in reading.skipped} == {
        "val2017/0012.jpg": "the image is not in the raw set",
        "val2017/../../13.jpg": "the image is not in the raw set",
        "annotations/instances_val2017.json": "annotation 6 is of image 404, which is not listed",
    }
    assert len(reading.images) == 2


def twice(key: str) -> dict[str, Any]:
    entries = coco_json()[key]
    return coco_json(**{key: [*entries, entries[0]]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Invalid JSON"),
        ("[1]", "no instances JSON"),
        (json.dumps({"images": []}), "annotations: Field required"),
        (json.dumps(twice("images")), "image id 10 2 times"),
        (json.dumps(twice("annotations")), "annotation id 1 2 times"),
        (json.dumps(coco_json(images=[{"id": 1, "file_name": "a", "height": 0, "width": 4}])), "images.0.height"),
    ],
)
def test_a_wrong_json_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (coco(tmp_path) / "annotations" / "instances_val2017.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_raw("coco", tmp_path, {})


# --- JSON as tools write it: null where nothing is known, numbers as text


SHEET = "annotations/instances_val2017.json"
SQUARE = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]]
GOOD: dict[str, Any] = {"id": 1, "image_id": 1, "category_id": 5, "iscrowd": 0, "segmentation": SQUARE, "area": 100}


def coco_of(root: Path, *annotations: Any, encoding: str = "utf-8", **changes: Any) -> Reading:
    (root / "annotations").mkdir(exist_ok=True)
    save(root / "val2017" / "a.png", np.zeros((20, 20), np.uint8))
    images = [{"id": 1, "file_name": "a.png", "height": 20, "width": 20}]
    value = {"images": images, "annotations": annotations, "categories": [{"id": 5, "name": "cat"}]} | changes
    (root / SHEET).write_text(json.dumps(value), encoding=encoding)
    return read_raw("coco", root, {})


def names(reading: Reading) -> list[str]:
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
    reading = coco_of(tmp_path, GOOD | change)
    assert names(reading) == [label] and not reading.skipped


@pytest.mark.parametrize("key", ["iscrowd", "category_id", "bbox", "area"])
def test_an_entry_that_is_missing_is_as_null(tmp_path: Path, key: str) -> None:
    entry = {name: value for name, value in GOOD.items() if name != key}
    assert names(coco_of(tmp_path, entry)) == names(coco_of(tmp_path, GOOD | {key: None}))


@pytest.mark.parametrize("crowd", [1, 1.0, True, "1", "true"])
def test_a_crowd_is_left_out_however_it_is_marked(tmp_path: Path, crowd: Any) -> None:
    assert names(coco_of(tmp_path, GOOD, GOOD | {"id": 2, "iscrowd": crowd})) == ["cat/1"]


@pytest.mark.parametrize(
    "broken",
    [
        None, [], "text", GOOD | {"id": None}, GOOD | {"id": 2.5}, GOOD | {"id": 2, "image_id": None},
        GOOD | {"id": 2, "category_id": "cat"}, GOOD | {"id": 2, "iscrowd": 7},
    ],
)  # fmt: skip
def test_what_is_not_clear_is_listed_and_the_rest_is_used(tmp_path: Path, broken: Any) -> None:
    reading = coco_of(tmp_path, broken, GOOD)
    assert names(reading) == ["cat/1"]
    assert [(skip.file, skip.reason.startswith("annotations.0")) for skip in reading.skipped] == [(SHEET, True)]


@pytest.mark.parametrize("segmentation", [None, [], {}])
def test_an_annotation_without_a_mask_is_listed_with_its_image(tmp_path: Path, segmentation: Any) -> None:
    found = coco_of(tmp_path, GOOD, GOOD | {"id": 2, "segmentation": segmentation}).images[0].read_labels()
    assert len(found.masks) == 1 and found.skipped == ["cat/2: it has no segmentation"]


def test_nulls_around_the_annotations_are_passed_over(tmp_path: Path) -> None:
    assert names(coco_of(tmp_path, GOOD, categories=None, info=None, licenses=None)) == ["5/1"]
    assert names(coco_of(tmp_path, GOOD, categories=[{"id": 5, "name": None}])) == ["5/1"]
    assert names(coco_of(tmp_path, GOOD, encoding="utf-8-sig")) == ["cat/1"]


def test_a_broken_image_entry_is_listed_but_one_that_can_be_read_is_needed(tmp_path: Path) -> None:
    bad = {"id": 2, "file_name": "b.png", "height": None, "width": 20}
    good = {"id": 1, "file_name": "a.png", "height": 20, "width": 20}
    assert [s.reason.split(":")[0] for s in coco_of(tmp_path, GOOD, images=[good, bad]).skipped] == ["images.1.height"]
    with pytest.raises(UserError, match=r"images\.0\.height"):
        coco_of(tmp_path, GOOD, images=[bad])


def test_a_picture_that_the_json_does_not_name_is_listed(tmp_path: Path) -> None:
    coco_of(tmp_path, GOOD)
    (tmp_path / "val2017" / "b.png").touch()
    assert [skip.file for skip in coco_of(tmp_path, GOOD).skipped] == ["val2017/b.png"]
