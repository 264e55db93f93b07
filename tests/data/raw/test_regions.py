"""Numbered regions of one or several annotators become masks whose labels say whose they are."""

import numpy as np
import pytest
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import read_raw
from uncertsam.data.raw.images import Unusable


@pytest.fixture
def two(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name in ("one", "many", "lonely"):
        Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(tmp_path / "images" / f"{name}.jpg")
    codes = np.zeros((6, 8), np.uint8)
    codes[:3], codes[3:, 4:] = 1, 7
    Image.fromarray(codes).save(tmp_path / "masks" / "one.png")
    Image.fromarray(codes + 1).save(tmp_path / "masks" / "many_annotator0.png")
    Image.fromarray(np.full((6, 8), 3, np.uint8)).save(tmp_path / "masks" / "many_annotator1.png")
    Image.fromarray(codes).save(tmp_path / "masks" / "nobody.png")
    return tmp_path, codes


def test_each_number_is_a_region_and_each_annotator_has_their_own(two):
    root, codes = two
    reading = read_raw("regions", root, {})
    labels = {image.name: image.read_labels() for image in reading.images}
    assert {name: [label for label, _ in found.masks] for name, found in labels.items()} == {
        "images/many.jpg": ["annotator0/1", "annotator0/2", "annotator0/8", "annotator1/3"],
        "images/one.jpg": ["1", "7"],
    }
    np.testing.assert_array_equal(dict(labels["images/one.jpg"].masks)["7"], codes == 7)
    assert {s.file for s in reading.skipped} == {"images/lonely.jpg", "masks/nobody.png"}


def test_annotators_of_different_sizes_and_colours_are_refused_by_name(two):
    root, _ = two
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(root / "masks" / "many_annotator2.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)).save(root / "masks" / "one.png")
    many, one = read_raw("regions", root, {}).images
    with pytest.raises(Unusable, match="5x5, 8x6"):
        many.read_labels()
    with pytest.raises(Unusable, match=r"one\.png has colours"):
        one.read_labels()


def test_a_pattern_names_the_scene_and_is_checked(two):
    root, _ = two
    assert {image.group for image in read_raw("regions", root, {"group": "^(.)"}).images} == {"m", "o"}
    for pattern, message in (("(", "not a regular expression"), ("a", "exactly one group")):
        with pytest.raises(UserError, match=message):
            read_raw("regions", root, {"group": pattern})


def test_whatever_else_lies_there_is_listed(two):
    root, _ = two
    (root / "images" / "deep").mkdir()
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(root / "images" / "deep" / "more.jpg")
    (root / "images" / "phone.heic").touch()
    skipped = {one.file for one in read_raw("regions", root, {}).skipped}
    assert skipped == {"images/lonely.jpg", "masks/nobody.png", "images/deep/more.jpg", "images/phone.heic"}


def test_a_folder_without_a_pair_names_the_layout(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(UserError, match="no photo with a mask"):
        read_raw("regions", tmp_path, {})
