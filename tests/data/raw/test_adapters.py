"""Adapters: what is recognised, what is refused, and that nothing is left out silently."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import raw_sets
from PIL import Image
from raw_sets import Pixels, save

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import Labels, Reading, available, read_raw
from uncertsam.data.raw.adapters.folder import discover, safe_name
from uncertsam.data.raw.images import read_photo

REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "real"
needs_photos = pytest.mark.skipif(not REAL.is_dir(), reason="the real photos are not on this machine")


def photo(height: int = 40, width: int = 50, seed: int = 0) -> Pixels:
    return raw_sets.photo(seed, height, width)


def square(value: int = 255, size: int = 10) -> Pixels:
    mask: Pixels = np.zeros((40, 50), np.uint8)
    mask[5 : 5 + size, 5 : 5 + size] = value
    return mask


def folder(root: Path, masks: dict[str, Pixels], ending: str = "png", **options: Any) -> Path:
    for name, mask in masks.items():
        save(root / "images" / f"{name}.jpg", photo(*mask.shape[:2]))
        save(root / "masks" / f"{name}.{ending}", mask, **options)
    return root


def read(root: Path, **options: Any) -> Reading:
    return read_raw("folder", root, options)


def labels(reading: Reading, at: int = 0) -> Labels:
    return reading.images[at].read_labels()


def found(reading: Reading, at: int = 0) -> dict[str, int]:
    return raw_sets.found(labels(reading, at))


# --- recognising the coding


def painted(*parts: tuple[Any, Any], fill: Any = 0, colours: bool = False) -> Pixels:
    mask = np.full((40, 50, 3) if colours else (40, 50), fill, np.uint8)
    for at, value in parts:
        mask[at] = value
    return mask


def soft() -> Pixels:
    mask = square()
    mask[4, 5:15], mask[15, 5:15] = 60, 200
    return mask


AT, CORNER, TEN = np.s_[5:15, 5:15], np.s_[30:34, 30:34], np.s_[20:30, 20:30]
VOID = painted((AT, 1), (TEN, 2), (np.s_[35], 255))
COLOURED = painted((np.s_[:5, :5], (1, 2, 3)), fill=(9, 8, 7), colours=True)
READ: dict[str, tuple[Pixels, dict[str, Any], str, dict[str, int]]] = {
    "two values, one of them 1": (square(1), {}, "binary", {"object": 100}),
    "two values, one of them 38": (square(38), {}, "binary", {"object": 100}),
    "many values": (painted((AT, 7), (CORNER, 2)), {}, "indexed", {"2": 16, "7": 100}),
    "three channels that differ": (
        painted((np.s_[:10, :10], (255, 0, 0)), (np.s_[20:30, :10], (0, 0, 9)), colours=True),
        {}, "colour", {"#000009": 100, "#ff0000": 100},
    ),
    "soft edges, told": (soft(), {"kind": "binary"}, "binary", {"object": 110}),
    "white is void, told": (VOID, {"ignore": [255]}, "indexed", {"1": 100, "2": 100}),
    "white is a label, told": (VOID, {"kind": "indexed"}, "indexed", {"1": 100, "2": 100, "255": 50}),
    "no background": (painted((AT, 1), (np.s_[20:], 11)), {"background": None, "ignore": [11]}, "indexed",
                      {"0": 900, "1": 100}),
    "a white background": (255 - square(), {"background": 255}, "binary", {"object": 100}),
    "soft edges on white": (255 - soft(), {"kind": "binary", "background": 255}, "binary", {"object": 110}),
    "a coloured background": (COLOURED, {"background": [9, 8, 7]}, "colour", {"#010203": 25}),
    "void in a binary mask": (painted((AT, 255), (np.s_[5:7, 5:15], 128)), {"ignore": [128]}, "binary", {"object": 80}),
    "components": (painted((AT, 255), (np.s_[30:33, 30:33], 255)), {"components": True}, "binary",
                   {"object/1": 100, "object/2": 9}),
}  # fmt: skip
REFUSED: dict[str, tuple[Pixels, dict[str, Any], str]] = {
    "soft edges": (soft(), {}, "4 grey values between 0 and 255.*kind: binary.*ignore: .255"),
    "no bright value": (painted((AT, 1), (np.s_[20:30], 2)), {"kind": "binary"}, "none of them above 127"),
    "white beside labels": (VOID, {}, "cannot be told apart"),
    "a photograph": (photo(), {}, "colours in one mask"),
    "colours, told indexed": (photo(), {"kind": "indexed"}, "kind: colour"),
    "a colour behind grey": (square(), {"kind": "binary", "background": [0, 0, 0]}, "is a colour"),
}


@pytest.mark.parametrize("case", READ)
def test_a_coding_is_recognised_or_told(tmp_path: Path, case: str) -> None:
    mask, options, kind, wanted = READ[case]
    reading = read(folder(tmp_path, {"a": mask}), **options)
    assert (reading.kind, found(reading)) == (kind, wanted)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_told_is_explained(tmp_path: Path, case: str) -> None:
    mask, options, says = REFUSED[case]
    with pytest.raises(UserError, match=says):
        labels(read(folder(tmp_path, {"a": mask}), **options))


def test_void_is_what_was_told_in_values_or_colours(tmp_path: Path) -> None:
    for name, mask, options in (("a", VOID, {"ignore": [255]}), ("b", COLOURED, {"ignore": [[1, 2, 3]]})):
        void = labels(read(folder(tmp_path / name, {"a": mask}), background=None, **options)).ignore
        assert void is not None and void.sum() == (50 if name == "a" else 25)


def test_of_a_palette_the_index_counts(tmp_path: Path) -> None:
    folder(tmp_path, {"a": square()})
    image = Image.fromarray(square(3)).convert("P")
    image.putpalette([0, 0, 0, 1, 1, 1, 2, 2, 2, 200, 30, 30])
    image.putdata(square(3).ravel().tolist())
    image.save(tmp_path / "masks" / "a.png")
    assert found(read(tmp_path, kind="indexed")) == {"3": 100}
    assert any("palette" in line for line in read(tmp_path).choices)


def test_one_binary_looking_mask_does_not_hide_an_indexed_set(tmp_path: Path) -> None:
    assert read(folder(tmp_path, {"a": square(1), "b": square(2)})).kind == "indexed"


def test_jpeg_masks_are_binary_only_when_told(tmp_path: Path) -> None:
    folder(tmp_path, {"a": square(size=20)}, ending="jpg", quality=60)
    with pytest.raises(UserError, match="JPEG.*kind: binary"):
        read(tmp_path)
    assert found(read(tmp_path, kind="binary")) == {"object": 400}


# --- options


def test_what_is_small_is_left_out_and_counted(tmp_path: Path) -> None:
    folder(tmp_path, {"a": READ["components"][0]})
    reading = read(tmp_path, components=True, min_area=9)
    assert found(reading) == {"object/1": 100} and "9 pixels in all" in labels(reading).skipped[0]
    assert "not more than 200" in labels(read(tmp_path, min_area=200)).skipped[0]


def test_of_many_masks_a_seeded_sample_is_kept_and_the_rest_is_counted(tmp_path: Path) -> None:
    stripes = np.repeat(np.arange(40, dtype=np.uint8)[:, None], 50, 1)
    folder(tmp_path, {"a": stripes})
    few = read(tmp_path, max_masks_per_image=5)
    assert len(found(few)) == 5 and found(few) == found(read(tmp_path, max_masks_per_image=5))
    assert labels(few).skipped == ["34 masks beyond 5 in one image"]
    assert found(read(tmp_path, max_masks_per_image=39)) == found(read(tmp_path))


def test_quality_follows_the_first_pattern_that_fits(tmp_path: Path) -> None:
    folder(tmp_path, {"uiuc_a": square(), "sbu_b": square()})
    reading = read(tmp_path, quality="human", quality_by_name={"^uiuc": "derived", ".": "human"})
    assert {i.name: i.quality for i in reading.images} == {"images/sbu_b.jpg": "human", "images/uiuc_a.jpg": "derived"}


def test_what_has_no_partner_or_is_excluded_is_listed(tmp_path: Path) -> None:
    folder(tmp_path, {"a": square(), "b": square(), "ugly": square()})
    (tmp_path / "masks" / "b.png").unlink()
    save(tmp_path / "masks" / "c.png", square())
    (tmp_path / "images" / "._a.jpg").write_bytes(b"")
    reading = read(tmp_path, exclude=["^ug"])
    assert [i.name for i in reading.images] == ["images/a.jpg"]
    assert {s.file: s.reason for s in reading.skipped} == {
        "images/b.jpg": "it has no mask of the same name",
        "images/ugly.jpg": "it is excluded by '^ug'",
        "masks/c.png": "it has no image of the same name",
    }


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, {"a": square()})
    save(tmp_path / "images" / "a.PNG", photo())
    with pytest.raises(UserError, match="same name"):
        read(tmp_path)


def test_names_with_accents_match_in_either_unicode_form(tmp_path: Path) -> None:
    save(tmp_path / "images" / "caf\u00e9 1.jpg", photo())
    save(tmp_path / "masks" / "cafe\u0301 1.png", square())
    assert found(read(tmp_path)) == {"object": 100}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "grey"}, "Option 'kind'"),
        ({"colour": 1}, "Option 'colour'"),
        ({"group": "a"}, "exactly one group"),
        ({"exclude": ["("]}, "not a regular expression"),
        ({"quality": "good"}, "Option 'quality'"),
        ({"min_area": -1}, "Option 'min_area'"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(folder(tmp_path, {"a": square()}), **options)


def test_a_folder_without_pairs_or_of_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected layout"):
        read(tmp_path)
    save(tmp_path / "images" / "a.jpg", photo())
    save(tmp_path / "masks" / "b.png", square())
    with pytest.raises(UserError, match="no image with a mask"):
        read(tmp_path)


# --- discovery


def test_every_sub_folder_with_images_and_masks_is_a_dataset(tmp_path: Path) -> None:
    for name in ("b set", "a", "Größe", "データ", ".hidden"):
        folder(tmp_path / name, {"x": square()})
    (tmp_path / "notes" / "images").mkdir(parents=True)
    sets = discover(tmp_path)
    assert {path.name: name for name, path in sets.items()} == {
        "a": "a",
        "b set": "b_set",
        "Größe": "Groe",
        "データ": safe_name("データ"),
    }
    assert safe_name("データ").startswith("set_")


def test_discovery_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is missing"):
        discover(tmp_path / "nowhere")
    folder(tmp_path / "one", {"x": square()})
    with pytest.raises(UserError, match="dataset itself"):
        discover(tmp_path / "one")
    folder(tmp_path / "a b", {"x": square()})
    folder(tmp_path / "a_b", {"x": square()})
    with pytest.raises(UserError, match="both be named 'a_b'"):
        discover(tmp_path)


def test_an_unknown_adapter_lists_those_that_exist(tmp_path: Path) -> None:
    assert {"cod10k", "folder", "istd"} <= set(available())
    for name in ("base", "os", "../x"):
        with pytest.raises(UserError, match="cod10k.*folder.*istd"):
            read_raw(name, tmp_path, {})


# --- photos


def test_an_upright_jpeg_stays_and_a_turned_one_is_turned(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo(40, 60))
    assert read_photo(tmp_path / "a.jpg").is_jpeg
    save(tmp_path / "b.jpg", photo(40, 60), 6, quality=100, subsampling=0)  # to be turned by 90 degrees to the right
    turned = read_photo(tmp_path / "b.jpg")
    assert not turned.is_jpeg and turned.changes == {"turned"}
    assert np.abs(turned.pixels.astype(int) - np.rot90(photo(40, 60), -1)).mean() < 3


def test_transparency_is_dropped(tmp_path: Path) -> None:
    colours = np.dstack([photo(), np.random.default_rng(1).integers(0, 256, (40, 50), dtype=np.uint8)])
    save(tmp_path / "a.png", colours)
    read_ = read_photo(tmp_path / "a.png")
    assert read_.changes == {"alpha"} and np.array_equal(read_.pixels, colours[..., :3])
    palette = Image.fromarray(photo()).quantize(8)
    palette.save(tmp_path / "p.png", transparency=bytes([0, 128] + [255] * 6))
    assert read_photo(tmp_path / "p.png").changes == {"alpha"}


# --- real photos


@needs_photos
@pytest.mark.parametrize(
    ("name", "kind", "masks"), [("davis_objects", "binary", 1), ("shadow", "binary", 1), ("crops_weeds", "indexed", 2)]
)
def test_real_sets_are_recognised(name: str, kind: str, masks: int) -> None:
    reading = read(discover(REAL)[name])
    assert reading.kind == kind and not reading.skipped
    assert len(found(reading)) == masks
    assert labels(reading).shape == read_photo(reading.images[0].path).pixels.shape[:2]
