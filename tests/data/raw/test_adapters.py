"""Adapters: what is recognised, what is refused, and that nothing is left out silently."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import Labels, Reading, available, read_raw
from uncertsam.data.raw.adapters.folder import discover, group_hints, safe_name
from uncertsam.data.raw.images import Unusable, read_photo

REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "real"
needs_photos = pytest.mark.skipif(not REAL.is_dir(), reason="the real photos are not on this machine")
Pixels = np.ndarray


def save(path: Path, pixels: Pixels, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def photo(height: int = 40, width: int = 50, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def square(value: int = 255, size: int = 10, dtype: type = np.uint8) -> Pixels:
    mask: Pixels = np.zeros((40, 50), dtype)
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
    return {label: int(mask.sum()) for label, mask in labels(reading, at).masks}


# --- recognising the coding


@pytest.mark.parametrize("value", [1, 38, 255])
def test_two_values_are_binary(tmp_path: Path, value: int) -> None:
    reading = read(folder(tmp_path, {"a": square(value), "b": square(value, 3)}))
    assert reading.kind == "binary"
    assert (found(reading), found(reading, 1)) == ({"object": 100}, {"object": 9})


def test_many_values_are_indexed_and_each_is_a_mask(tmp_path: Path) -> None:
    mask = square(7)
    mask[30:34, 30:34] = 2
    reading = read(folder(tmp_path, {"a": mask}))
    assert reading.kind == "indexed"
    assert found(reading) == {"2": 16, "7": 100}


def test_sixteen_bit_indices_are_not_cut(tmp_path: Path) -> None:
    mask = square(40000, dtype=np.uint16)
    mask[30:34, 30:34] = 255
    assert found(read(folder(tmp_path, {"a": mask}))) == {"255": 16, "40000": 100}


def test_three_channels_that_differ_are_colours(tmp_path: Path) -> None:
    mask = np.zeros((40, 50, 3), np.uint8)
    mask[:10, :10], mask[20:30, :10] = (255, 0, 0), (0, 0, 9)
    reading = read(folder(tmp_path, {"a": mask, "black": np.zeros((40, 50), np.uint8)}))
    assert reading.kind == "colour"
    assert (found(reading), found(reading, 1)) == ({"#000009": 100, "#ff0000": 100}, {})


def test_equal_channels_are_grey(tmp_path: Path) -> None:
    reading = read(folder(tmp_path, {"a": np.repeat(square()[..., None], 3, 2)}))
    assert (reading.kind, found(reading)) == ("binary", {"object": 100})


def test_of_a_palette_the_index_counts(tmp_path: Path) -> None:
    folder(tmp_path, {"a": square()})
    image = Image.fromarray(np.where(square() > 0, 3, square(0)).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 1, 1, 1, 2, 2, 2, 200, 30, 30])
    image.putdata(np.where(square() > 0, 3, 0).ravel().tolist())
    image.save(tmp_path / "masks" / "a.png")
    reading = read(tmp_path, kind="indexed")
    assert found(reading) == {"3": 100}
    assert any("palette" in line for line in read(tmp_path).choices)


def test_one_binary_looking_mask_does_not_hide_an_indexed_set(tmp_path: Path) -> None:
    reading = read(folder(tmp_path, {"a": square(1), "b": square(2)}))
    assert reading.kind == "indexed"


def soft() -> Pixels:
    mask = square()
    mask[4, 5:15], mask[15, 5:15] = 60, 200
    return mask


def test_soft_edges_are_explained_and_cut_at_127_when_told(tmp_path: Path) -> None:
    folder(tmp_path, {"a": soft()})
    with pytest.raises(UserError, match="4 grey values between 0 and 255.*kind: binary.*ignore: .255"):
        read(tmp_path)
    reading = read(tmp_path, kind="binary")
    assert found(reading) == {"object": 110}
    assert "above 127" in reading.choices[0]


def test_binary_masks_without_a_bright_value_are_refused(tmp_path: Path) -> None:
    mask = square(1)
    mask[20:30] = 2
    with pytest.raises(UserError, match="none of them above 127"):
        read(folder(tmp_path, {"a": mask}), kind="binary")


def test_jpeg_masks_are_binary_only_when_told(tmp_path: Path) -> None:
    folder(tmp_path, {"a": square(size=20)}, ending="jpg", quality=60)
    with pytest.raises(UserError, match="JPEG.*kind: binary"):
        read(tmp_path)
    assert found(read(tmp_path, kind="binary")) == {"object": 400}


def test_white_beside_labels_is_not_guessed(tmp_path: Path) -> None:
    mask = square(1)
    mask[20:30, 20:30], mask[35] = 2, 255
    folder(tmp_path, {"a": mask})
    with pytest.raises(UserError, match="cannot be told apart"):
        read(tmp_path)
    assert found(read(tmp_path, ignore=[255])) == {"1": 100, "2": 100}
    assert found(read(tmp_path, kind="indexed")) == {"1": 100, "2": 100, "255": 50}


def test_a_photograph_is_no_colour_coding(tmp_path: Path) -> None:
    folder(tmp_path, {"a": photo()})
    with pytest.raises(UserError, match="colours in one mask"):
        read(tmp_path)


def test_told_indexed_but_coloured_is_refused(tmp_path: Path) -> None:
    reading = read(folder(tmp_path, {"a": photo()}), kind="indexed")
    with pytest.raises(UserError, match="kind: colour"):
        labels(reading)


def test_a_background_of_null_makes_every_value_a_mask(tmp_path: Path) -> None:
    mask = square(1)
    mask[20:] = 11
    reading = read(folder(tmp_path, {"a": mask}), background=None, ignore=[11])
    assert found(reading) == {"0": 900, "1": 100}
    void = labels(reading).ignore
    assert void is not None and np.array_equal(void, mask == 11)


def test_a_background_may_be_white_or_a_colour(tmp_path: Path) -> None:
    white = folder(tmp_path / "white", {"a": 255 - square()})
    assert found(read(white, background=255)) == {"object": 100}
    assert found(read(folder(tmp_path / "soft", {"a": 255 - soft()}), kind="binary", background=255)) == {"object": 110}
    mask = np.full((40, 50, 3), (9, 8, 7), np.uint8)
    mask[:5, :5] = (1, 2, 3)
    coloured = folder(tmp_path / "colour", {"a": mask})
    assert found(read(coloured, background=[9, 8, 7])) == {"#010203": 25}
    void = labels(read(coloured, background=[9, 8, 7], ignore=[[1, 2, 3]])).ignore
    assert void is not None and void.sum() == 25


def test_a_colour_is_no_background_of_grey_masks(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a colour"):
        read(folder(tmp_path, {"a": square()}), kind="binary", background=[0, 0, 0])


def test_void_pixels_are_in_no_binary_mask(tmp_path: Path) -> None:
    mask = square()
    mask[5:7] = 128
    reading = read(folder(tmp_path, {"a": mask}), ignore=[128])
    assert (reading.kind, found(reading)) == ("binary", {"object": 80})


# --- options


def test_components_and_small_masks(tmp_path: Path) -> None:
    mask = square()
    mask[30:33, 30:33] = 255
    folder(tmp_path, {"a": mask})
    assert found(read(tmp_path, components=True)) == {"object/1": 100, "object/2": 9}
    reading = read(tmp_path, components=True, min_area=9)
    assert found(reading) == {"object/1": 100}
    assert "9 pixels in all" in labels(reading).skipped[0]
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


# --- scenes


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


# --- ISTD and COD10K


def istd(root: Path) -> Path:
    for name, size in {"7-1": 10, "7-2": 10, "12-1": 3}.items():
        save(root / "test" / "test_A" / f"{name}.png", photo())
        save(root / "test" / "test_B" / f"{name}.png", square(size=size))
        save(root / "test" / "test_C" / f"{name}.png", photo())
    return root


def test_istd_gives_components_by_scene(tmp_path: Path) -> None:
    reading = read_raw("istd", istd(tmp_path), {"min_area": 20})
    assert {i.name: i.group for i in reading.images} == {
        "test/test_A/12-1.png": "12",
        "test/test_A/7-1.png": "7",
        "test/test_A/7-2.png": "7",
    }
    assert (found(reading, 1), found(reading, 0)) == ({"shadow/1": 100}, {})
    assert "9 pixels" in labels(reading).skipped[0]


def test_istd_defaults_are_those_of_the_paper(tmp_path: Path) -> None:
    reading = read_raw("istd", istd(tmp_path), {})
    assert "3x3 square (2 dilations, as many erosions)" in reading.choices[1] and "1000" in reading.choices[1]


def test_istd_lists_images_without_mask_and_refuses_another_layout(tmp_path: Path) -> None:
    (istd(tmp_path) / "test" / "test_B" / "7-1.png").unlink()
    assert [s.file for s in read_raw("istd", tmp_path, {}).skipped] == ["test/test_A/7-1.png"]
    with pytest.raises(UserError, match="train_B is missing"):
        read_raw("istd", tmp_path, {"split": "all"})


def cod10k(root: Path) -> Path:
    colours = np.zeros((40, 50, 3), np.uint8)
    colours[:10, :10], colours[20:30, :10], colours[35, 40] = (255, 0, 0), (0, 255, 0), (0, 255, 0)
    for name, mask in {"CAM-1": colours, "CAM-2": None, "NonCAM-3": None, "NonCAM-4": colours * 0}.items():
        save(root / "Test" / "Image" / f"COD10K-{name}.jpg", photo())
        if mask is not None:
            save(root / "Test" / "GT_Instance" / f"COD10K-{name}.png", mask)
    save(root / "Test" / "GT_Object" / "COD10K-CAM-1.png", square())
    save(root / "Test" / "GT_Object" / "COD10K-CAM-2.png", square())
    return root


def test_cod10k_splits_colours_then_components_and_counts_what_has_no_object(tmp_path: Path) -> None:
    reading = read_raw("cod10k", cod10k(tmp_path), {"min_area": 5})
    assert reading.kind == "instances"
    assert found(reading) == {"#00ff00/1": 100, "#ff0000/1": 100}
    assert labels(reading).skipped == ["#00ff00: its components of at most 5 pixels, 1 pixel in all"]
    assert found(reading, 1) == {"object/1": 100}
    assert len(reading.images) == 2 and reading.skipped == []
    assert any(line.startswith("2 images without a camouflaged object") for line in reading.choices)


def test_cod10k_with_nothing_but_empty_images_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "Test" / "Image" / "COD10K-NonCAM-1.jpg", photo())
    with pytest.raises(UserError, match="NonCAM"):
        read_raw("cod10k", tmp_path, {})


# --- photos


def test_every_photo_format_becomes_rgb(tmp_path: Path) -> None:
    pixels = photo()
    for ending, options in {"png": {}, "bmp": {}, "tif": {}, "webp": {"lossless": True}}.items():
        save(tmp_path / f"a.{ending}", pixels, **options)
        assert np.array_equal(read_photo(tmp_path / f"a.{ending}").pixels, pixels)
        assert not read_photo(tmp_path / f"a.{ending}").is_jpeg


def test_an_upright_jpeg_stays_and_a_turned_one_is_turned(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo(40, 60))
    assert read_photo(tmp_path / "a.jpg").is_jpeg
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees to the right
    save(tmp_path / "b.jpg", photo(40, 60), exif=exif, quality=100, subsampling=0)
    turned = read_photo(tmp_path / "b.jpg")
    assert not turned.is_jpeg and turned.changes == {"turned"}
    assert np.abs(turned.pixels.astype(int) - np.rot90(photo(40, 60), -1)).mean() < 3


def test_sixteen_bits_are_scaled_by_the_images_own_largest_value(tmp_path: Path) -> None:
    deep = np.array([[0, 1000], [2000, 4000]], np.uint16)
    save(tmp_path / "a.png", deep)
    assert read_photo(tmp_path / "a.png").pixels[..., 0].tolist() == [[0, 64], [128, 255]]
    save(tmp_path / "black.png", deep * 0)
    assert not read_photo(tmp_path / "black.png").pixels.any()


def test_transparency_is_dropped(tmp_path: Path) -> None:
    colours = np.dstack([photo(), np.random.default_rng(1).integers(0, 256, (40, 50), dtype=np.uint8)])
    save(tmp_path / "a.png", colours)
    read_ = read_photo(tmp_path / "a.png")
    assert read_.changes == {"alpha"} and np.array_equal(read_.pixels, colours[..., :3])
    palette = Image.fromarray(photo()).quantize(8)
    palette.save(tmp_path / "p.png", transparency=bytes([0, 128] + [255] * 6))
    assert read_photo(tmp_path / "p.png").changes == {"alpha"}


def test_a_cut_off_photo_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.jpg", photo(200, 200))
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-2000])
    with pytest.raises(Unusable, match="cut.jpg cannot be read"):
        read_photo(tmp_path / "cut.jpg")


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
