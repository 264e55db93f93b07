"""ISTD and COD10K: scenes by name, components, colours of instances, and images without an object."""

from pathlib import Path

import pytest
from raw_sets import cod10k, found, istd, photo, save

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import Labels, Reading, read_raw
from uncertsam.data.raw.adapters.folder import group_hints


def labels(reading: Reading, at: int = 0) -> Labels:
    return reading.images[at].read_labels()


def test_istd_gives_components_by_scene(tmp_path: Path) -> None:
    reading = read_raw("istd", istd(tmp_path), {"min_area": 20})
    assert {i.name: i.group for i in reading.images} == {
        "test/test_A/12-1.png": "12",
        "test/test_A/7-1.png": "7",
        "test/test_A/7-2.png": "7",
    }
    assert (found(labels(reading, 1)), found(labels(reading))) == ({"shadow/1": 100}, {})
    assert "9 pixels" in labels(reading).skipped[0]


def test_istd_lists_images_without_mask_and_pictures_without_shadow(tmp_path: Path) -> None:
    (istd(tmp_path) / "test" / "test_B" / "7-1.png").unlink()
    names = {skip.file for skip in read_raw("istd", tmp_path, {}).skipped}
    assert names == {"test/test_A/7-1.png", *(f"test/test_C/{name}.png" for name in ("7-1", "7-2", "12-1"))}
    with pytest.raises(UserError, match="train_A.*0 images"):
        read_raw("istd", tmp_path, {"splits": ["test", "train"]})


def test_cod10k_splits_colours_then_components_and_counts_what_has_no_object(tmp_path: Path) -> None:
    reading = read_raw("cod10k", cod10k(tmp_path), {"min_area": 5})
    assert reading.kind == "instances"
    assert found(labels(reading)) == {"#00ff00/1": 100, "#ff0000/1": 100}
    assert labels(reading).skipped == ["#00ff00: its components of at most 5 pixels, 1 pixel in all"]
    assert found(labels(reading, 1)) == {"object/1": 100}
    assert len(reading.images) == 2 and reading.skipped == []
    assert any(line.startswith("2 images without a camouflaged object") for line in reading.choices)


def test_cod10k_with_nothing_but_empty_images_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "Test" / "Image" / "COD10K-NonCAM-1.jpg", photo())
    with pytest.raises(UserError, match="NonCAM"):
        read_raw("cod10k", tmp_path, {})


def test_names_that_differ_in_their_last_number_are_one_scene() -> None:
    stems = ["dog_00001", "dog_00002", "cat-1", "cat-2", "istd_95-3", "istd_95-4", "IMG_1", "IMG_2", "100-6", "lonely"]
    groups, _ = group_hints(stems, None)
    assert groups == {
        **{s: s.rsplit("_", 1)[0] for s in stems[:2]},
        **dict.fromkeys(stems[2:4], "cat"),
        **dict.fromkeys(stems[4:6], "istd_95"),
        **{s: s for s in stems[6:]},
    }


def test_a_prefix_of_half_the_images_is_a_counter_and_said_to_be_one() -> None:
    stems = [f"frame{i}" for i in range(5)] + [f"other_{i}" for i in range(5)]
    groups, sentence = group_hints(stems, None)
    assert groups == {s: s for s in stems}
    assert "'frame' (5 of 10)" in sentence and "`group`" in sentence


def test_a_pattern_names_the_scene() -> None:
    groups, sentence = group_hints(["pat01_z3", "pat01_x4", "odd"], r"^(pat\d+)")
    assert groups == {"pat01_z3": "pat01", "pat01_x4": "pat01", "odd": "odd"}
    assert "1 name" in sentence
