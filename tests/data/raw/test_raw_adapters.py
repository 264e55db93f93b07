"""The authors' raw layouts: what is read from each, by which rule of App. B, and what is listed or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from raw_sets import (
    TWO,
    benchmark,
    big,
    coco,
    cod10k,
    coift,
    flare7k,
    found,
    istd,
    msd,
    nifti,
    photo,
    save,
    sbu,
    squares,
    trans10k,
)

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import read_raw

LAYOUTS: dict[str, tuple[Callable[[Path], Path], dict[str, Any], int, list[str]]] = {
    "big": (big, TWO, 2, ["object/1", "object/2"]),
    "coift": (coift, {}, 2, ["object"]),
    "sbu": (sbu, TWO, 1, ["shadow/1", "shadow/2"]),
    "flare7k": (flare7k, TWO, 1, ["glare/1", "light source/1", "streak/1", "streak/2"]),
    "trans10k": (trans10k, TWO, 2, ["transparent/1", "transparent/2"]),
    "istd": (istd, TWO, 2, ["shadow/1"]),
    "cod10k": (cod10k, TWO, 2, ["#00ff00/1", "#ff0000/1"]),
    "coco": (coco, {}, 2, ["hot dog/1", "hot dog/2", "hot dog/3"]),
    "msd": (msd, {}, 6, ["spleen"]),
    "nifti": (nifti, {}, 3, ["1"]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_becomes_the_benchmark_with_the_masks_that_the_adapter_found(tmp_path: Path, name: str) -> None:
    make, options, images, labels = LAYOUTS[name]
    root = make(tmp_path / name)
    reading = read_raw(name, root, options)
    split = benchmark(root, name, **options)
    assert len(split) == images
    assert sorted(a.label for a in split.annotations[1]) == labels
    raw = {image.name: image.read_labels() for image in reading.images}
    for record in split:
        expected = np.stack([mask for _, mask in raw[record.source].masks])
        assert np.array_equal(split.masks(record.id), expected)
        assert split.pixels(record.id).shape == (*expected.shape[1:], 3)
    assert all(c.endswith(".") and (c[0].isupper() or c[0].isdigit()) and len(c.split()) > 4 for c in reading.choices)


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_folder_is_refused_with_what_was_expected(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"has no image .* set `files`|is missing"):
        read_raw(name, tmp_path, {})


# --- pairs


def test_a_file_without_a_partner_is_listed(tmp_path: Path) -> None:
    save(coift(tmp_path) / "images" / "alone.jpg", photo())
    save(tmp_path / "masks" / "left.png", squares())
    assert {s.file: s.reason for s in read_raw("coift", tmp_path, {}).skipped} == {
        "images/alone.jpg": "it has no mask of the same name (masks/*.png)",
        "masks/left.png": "it has no image of the same name (images/*.jpg)",
    }


def test_a_split_without_files_is_no_silent_loss(tmp_path: Path) -> None:
    for path in (trans10k(tmp_path) / "test" / "hard" / "masks").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"test/hard/images.*1 image, 0 masks"):
        read_raw("trans10k", tmp_path, {})


def test_patterns_and_splits_are_options(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a-x.png", photo())
    save(tmp_path / "truth" / "gt-a.png", squares())
    options = {"files": {"all": ["photos/*-x.png", "truth/gt-*.png"]}, "splits": ["all"]}
    assert [image.name for image in read_raw("sbu", tmp_path, options).images] == ["photos/a-x.png"]
    assert len(read_raw("sbu", sbu(tmp_path), {"splits": ["test", "train"]}).images) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": ["all"]}, "no split 'all'"),
        ({"splits": []}, "each once"),
        ({"splits": ["test", "test"]}, "each once"),
        ({"files": {"test": ["*/*.jpg", "masks/*.png"]}}, "exactly one"),
        ({"files": {"test": ["../*.jpg", "masks/*.png"]}}, "below the raw set"),
        ({"files": {"real": ["a/*.jpg", "b/*.png"]}}, "no split 'test'"),
    ],
)
def test_wrong_patterns_and_splits_are_explained(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_raw("coift", coift(tmp_path), options)


# --- the rules of App. B


def test_coift_keeps_a_mask_whole_whatever_its_parts(tmp_path: Path) -> None:
    assert found(read_raw("coift", coift(tmp_path), {}).images[0].read_labels()) == {"object": 100 + 144 + 4}


@pytest.mark.parametrize("name", ["big", "coift", "sbu"])
def test_masks_are_cut_in_the_middle(tmp_path: Path, name: str) -> None:
    root = LAYOUTS[name][0](tmp_path)
    path = next(p for p in sorted(root.rglob("*.png")) if "seg" not in p.name)
    for value, masks in ((127, False), (128, True)):
        save(path, squares(value))
        labels = read_raw(name, root, {} if name == "coift" else TWO).images[0].read_labels()
        assert bool(labels.masks) == masks


def test_flare_is_split_by_colour_and_other_colours_are_in_no_mask_but_listed(tmp_path: Path) -> None:
    labels = read_raw("flare7k", flare7k(tmp_path), TWO).images[0].read_labels()
    assert found(labels) == {"glare/1": 300, "streak/1": 100, "streak/2": 100, "light source/1": 100}
    assert labels.skipped == ["7 pixels of 1 other colour (#00ff00)"]


def test_the_colours_of_flare_are_an_option(tmp_path: Path) -> None:
    options = TWO | {"colours": {"ghost": [0, 255, 0], "streak": [255, 0, 0]}, "min_area": 5}
    assert set(found(read_raw("flare7k", flare7k(tmp_path), options).images[0].read_labels())) == {
        "ghost/1",
        "streak/1",
        "streak/2",
    }
    with pytest.raises(UserError, match="Option 'colours'"):
        read_raw("flare7k", tmp_path, {"colours": {}})


def test_touching_glass_is_one_mask_unless_it_is_split_by_class(tmp_path: Path) -> None:
    merged = read_raw("trans10k", trans10k(tmp_path), TWO)
    assert found(merged.images[0].read_labels()) == {"transparent/1": 300, "transparent/2": 100}
    split = read_raw("trans10k", tmp_path, TWO | {"by_class": True})
    assert found(split.images[0].read_labels()) == {"thing/1": 100, "thing/2": 100, "stuff/1": 200}
    assert (merged.kind, split.kind) == ("binary", "colour")


def test_images_of_one_name_in_two_folders_are_two_scenes(tmp_path: Path) -> None:
    assert len({image.group for image in read_raw("trans10k", trans10k(tmp_path), {}).images}) == 2


def test_broken_files_are_listed_and_name_no_path_of_this_machine(tmp_path: Path) -> None:
    root = big(tmp_path / "raw")
    (root / "1 dog_gt.png").write_bytes((root / "1 dog_gt.png").read_bytes()[:60])
    save(root / "3_im.jpg", photo(3))
    save(root / "3_gt.png", squares()[:-1])
    save(root / "4_im.jpg", photo(4))
    save(root / "4_gt.png", squares() * 0)
    split = benchmark(root, "big", **TWO)
    assert [record.source for record in split] == ["2_cat_im.jpg"]
    reasons = {s["file"]: s["reason"] for s in split.info["skipped"]}
    assert reasons["1 dog_im.jpg"].startswith("1 dog_gt.png cannot be read as an image")
    assert "the mask is 80x59 pixels large, the image 80x60" in reasons["3_im.jpg"]
    assert reasons["4_im.jpg"] == "no mask is left (there is none)"
    assert str(tmp_path) not in json.dumps(reasons)
