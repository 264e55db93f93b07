"""The benchmark format: what is written is read, what the authors publish is read, and broken files say so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, ImageRecord, decode_rle, encode_rle, read_split, splits_of, write_split

masks = npst.arrays(bool, npst.array_shapes(min_dims=2, max_dims=2, max_side=20))


def disc(height: int, width: int, radius: int) -> np.ndarray:
    y, x = np.ogrid[:height, :width]
    return np.hypot(y - height / 2, x - width / 2) < radius


def small_split(root: Path) -> tuple[list[ImageRecord], list[Annotation]]:
    """Two images of different size, one with two masks and void pixels, written out of order."""
    void = np.zeros((30, 40), bool)
    void[:3] = True
    images = [ImageRecord(7, 40, 30, "images/b.png", "ff", "aa", "human", encode_rle(void)), ImageRecord(2, 24, 32)]
    rows = [
        Annotation(5, 7, int(disc(30, 40, 6).sum()), encode_rle(disc(30, 40, 6)), "cat"),
        Annotation(1, 7, int(disc(30, 40, 9).sum()), encode_rle(disc(30, 40, 9))),
        Annotation(3, 2, int(disc(32, 24, 4).sum()), encode_rle(disc(32, 24, 4))),
    ]
    (root / "images").mkdir(parents=True)
    for record in images:
        Image.new("RGB", (record.width, record.height), (10, 200, 30)).save(root / "images" / record.file_name)
    write_split(root, {"dataset": "toy"}, images, rows)
    return images, rows


def rewrite(root: Path, change: Any) -> None:
    path = root / "annotations" / "dataset.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@given(masks)
@settings(max_examples=50, deadline=None)
def test_rle_round_trip_is_exact(mask: np.ndarray) -> None:
    rle = json.loads(json.dumps(encode_rle(mask)))
    assert rle["size"] == list(mask.shape)
    assert np.array_equal(decode_rle(rle), mask)


def test_rle_is_base64_of_cocos_compressed_form() -> None:
    # 2 x 3 with one pixel at row 1, column 0: column-major runs are 1 zero, 1 one, 4 zeros, which COCO writes "114"
    mask = np.zeros((2, 3), bool)
    mask[1, 0] = True
    assert encode_rle(mask) == {"size": [2, 3], "counts": "MTE0"}


def test_a_split_that_is_written_is_read_back(tmp_path: Path) -> None:
    images, rows = small_split(tmp_path / "toy" / "test")
    split = read_split(tmp_path / "toy" / "test")
    assert list(split) == sorted(images, key=lambda r: r.id)
    assert split.annotations == {2: [rows[2]], 7: [rows[0], rows[1]]}
    assert split.info == {"dataset": "toy"}
    assert np.array_equal(split.masks(7), np.stack([disc(30, 40, 6), disc(30, 40, 9)]))
    assert split.pixels(7).shape == (30, 40, 3)
    assert split.ignored(7).sum() == 3 * 40 and not split.ignored(2).any()


def test_a_published_split_without_an_images_list_is_read(tmp_path: Path) -> None:
    small_split(tmp_path)
    rewrite(tmp_path, lambda value: (value.pop("images"), value.pop("info")))
    split = read_split(tmp_path)
    assert [(r.id, r.width, r.height) for r in split] == [(2, 24, 32), (7, 40, 30)]


def test_an_image_without_masks_has_an_empty_list(tmp_path: Path) -> None:
    small_split(tmp_path)
    rewrite(tmp_path, lambda value: value["annotations"].pop())
    assert read_split(tmp_path).annotations[2] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value["annotations"].append(value["annotations"][0]), "annotation id twice"),
        (
            lambda value: value["annotations"].append(value["annotations"][0] | {"id": 9, "image_id": 99}),
            "00000099.jpg",
        ),
        (lambda value: value.pop("annotations"), "not in the benchmark format"),
        (lambda value: value["annotations"][0].pop("segmentation"), "not in the benchmark format"),
        (lambda value: value["annotations"][0].update(area="large"), "not in the benchmark format"),
    ],
)
def test_a_split_that_does_not_fit_together_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    small_split(tmp_path)
    rewrite(tmp_path, change)
    with pytest.raises(UserError, match=message):
        read_split(tmp_path)


@given(st.sets(st.sampled_from(["fit", "test", "calibrate", "pretrain"])))
def test_splits_of_a_dataset_are_those_with_annotations(tmp_path_factory: Any, names: set[str]) -> None:
    root = tmp_path_factory.mktemp("set")
    (root / "leftover" / "images").mkdir(parents=True)
    for name in names:
        write_split(root / name, {}, [], [])
    assert splits_of(root) == sorted(names)
