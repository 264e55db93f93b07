"""Masks lie where they were drawn: turned by their tag, cut out by their transparency; and the report says so."""

import io
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from raw_sets import benchmark, save
from tiffs import tiff

from uncertsam.data.format import Split
from uncertsam.data.raw.decoding import decode
from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.masks import codes_of, read_codes, read_colours

H, W = 40, 50
SHAPE = np.zeros((H, W), bool)
SHAPE[5:25, 8:28] = True  # 400 pixels
PHOTO = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """How a camera stores a picture that its tag turns upright; Pillow's own words."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # of Image.Transpose
    image = Image.fromarray(upright)
    return np.asarray(image.transpose(undo[orientation]) if orientation in undo else image)


def read(folder: Path, adapter: str = "folder", **options: Any) -> Split:
    return benchmark(folder / "set", adapter, **options)


@pytest.mark.parametrize(("orientation", "suffix"), [*product(range(1, 9), ["png", "tif"])])
def test_a_mask_is_turned_by_its_own_tag(tmp_path: Path, orientation: int, suffix: str) -> None:
    grey = stored(np.where(SHAPE, 255, 0).astype(np.uint8), orientation)
    path = save(tmp_path / f"set/masks/a.{suffix}", grey, orientation)
    assert np.array_equal(read_codes(path) == 255, SHAPE)
    assert np.array_equal(read_colours(path)[..., 0] == 255, SHAPE)
    save(tmp_path / "set/images/a.jpg", stored(PHOTO, orientation), orientation)
    split = read(tmp_path)
    assert np.array_equal(split.masks(1)[0], SHAPE)
    turned = "1 image whose mask was turned upright, as its own tag says."
    assert (turned in split.info["choices"]) == (orientation != 1)


@pytest.mark.parametrize("kind", ["deep", "palette", "colour"])
def test_masks_of_every_kind_are_turned(tmp_path: Path, kind: str) -> None:
    plain = stored(np.where(SHAPE, 200, 0).astype(np.uint8), 6)
    if kind == "deep":
        (tmp_path / "a.tif").write_bytes(tiff(plain.astype(np.uint16), orientation=6))
        assert np.array_equal(read_codes(tmp_path / "a.tif") == 200, SHAPE)
    elif kind == "palette":
        image = Image.fromarray(plain // 200).convert("P")
        image.putpalette([0, 0, 0, 250, 0, 0])
        image.save(tmp_path / "a.png", exif=_tag(6))
        assert np.array_equal(read_codes(tmp_path / "a.png") == 1, SHAPE)
    else:
        path = save(tmp_path / "a.png", np.dstack([plain, plain * 0, plain * 0]), 6)
        assert np.array_equal(read_codes(path)[..., 0] == 200, SHAPE)


def _tag(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(("orientation", "doubt"), [(1, False), (3, True), (6, False)])
def test_a_mask_without_a_tag_lies_on_the_upright_picture(tmp_path: Path, orientation: int, doubt: bool) -> None:
    save(tmp_path / "set/images/a.jpg", stored(PHOTO, orientation), orientation)
    save(tmp_path / "set/masks/a.png", np.where(SHAPE, 255, 0).astype(np.uint8))
    split = read(tmp_path)
    assert np.array_equal(split.masks(1)[0], SHAPE)
    assert any("taken as drawn on the upright picture" in line for line in split.info["choices"]) == doubt


def test_a_tag_that_the_pictures_size_refutes_is_passed_over(tmp_path: Path) -> None:
    save(tmp_path / "set/images/a.jpg", PHOTO)
    save(tmp_path / "set/masks/a.png", np.where(SHAPE, 255, 0).astype(np.uint8), 6)
    split = read(tmp_path)
    assert np.array_equal(split.masks(1)[0], SHAPE)
    assert any("was not turned as its tag says" in line for line in split.info["choices"])


WHITE, BLACK = np.full((H, W, 3), 255, np.uint8), np.zeros((H, W, 3), np.uint8)
OPAQUE = np.where(SHAPE, 255, 0).astype(np.uint8)
SOFT = np.where(SHAPE, 255, 40).astype(np.uint8)
FLAT = np.where(SHAPE[..., None], (250, 10, 10), (255, 255, 255)).astype(np.uint8)
SHAPES = {
    "white all over": np.dstack([WHITE, OPAQUE]),
    "black all over": np.dstack([BLACK, OPAQUE]),
    "a cut-out with the photo under it": np.dstack([PHOTO, OPAQUE]),
    "a cut-out on black": np.dstack([np.where(SHAPE[..., None], PHOTO, 0), OPAQUE]),
    "one colour on white": np.dstack([FLAT, OPAQUE]),
    "half transparent": np.dstack([WHITE, OPAQUE // 2]),
    "not quite transparent around": np.dstack([PHOTO, SOFT]),
    "grey": np.dstack([PHOTO[..., 0], OPAQUE]),
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_the_shape_in_the_transparency_is_the_mask(tmp_path: Path, kind: str, suffix: str) -> None:
    path = save(tmp_path / f"set/masks/a.{suffix}", SHAPES[kind])
    assert np.array_equal(read_colours(path).max(axis=2) > 127, SHAPE)
    save(tmp_path / "set/images/a.jpg", PHOTO)
    split = read(tmp_path)
    assert len(split.masks(1)) == 1 and np.array_equal(split.masks(1)[0], SHAPE)
    assert any("has its shape in its transparency" in line for line in split.info["choices"])


def test_fixed_layouts_know_transparency_too(tmp_path: Path) -> None:
    save(tmp_path / "set/masks/a.png", SHAPES["a cut-out with the photo under it"])
    save(tmp_path / "set/images/a.jpg", PHOTO)
    split = read(tmp_path, "coift")
    assert np.array_equal(split.masks(1)[0], SHAPE)
    assert any("has its shape in its transparency" in line for line in split.info["choices"])


def test_sixteen_bits_of_colour_and_alpha(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(SHAPES["black all over"].astype(np.uint16) * 257, extra=[2]))
    assert np.array_equal(read_codes(tmp_path / "a.tif") == 255, SHAPE)
    grey = np.repeat(np.arange(6, dtype=np.uint16).reshape(2, 3, 1), 3, axis=2)
    (tmp_path / "b.tif").write_bytes(tiff(grey))  # labels 0 to 5, which the larger byte alone would lose
    assert read_codes(tmp_path / "b.tif").tolist() == grey[..., 0].tolist()
    grey[0, 0, 0] = 300
    (tmp_path / "c.tif").write_bytes(tiff(grey))
    with pytest.raises(Unusable, match="colours of 16 bits"):
        read_codes(tmp_path / "c.tif")
    (tmp_path / "d.tif").write_bytes(tiff(65535 - OPAQUE.astype(np.uint16) * 257, photometric=0))
    assert np.array_equal(read_codes(tmp_path / "d.tif") == 65535, SHAPE)


def test_labels_keep_their_codes_where_others_are_transparent(tmp_path: Path) -> None:
    codes = np.array([[3, 3, 5, 5], [3, 3, 5, 5], [9, 9, 9, 9]], np.uint8)
    alpha = np.where(codes == 9, 0, 255).astype(np.uint8)
    kept = np.where(codes == 9, 0, codes)
    assert read_codes(save(tmp_path / "a.png", np.dstack([codes, alpha]))).tolist() == kept.tolist()
    colours = np.dstack([codes, codes, codes * 2, alpha])
    assert np.array_equal(read_codes(save(tmp_path / "b.png", colours)), colours[..., :3] * (alpha > 0)[..., None])


def test_an_object_of_index_0_on_a_transparent_index_is_kept(tmp_path: Path) -> None:
    image = Image.fromarray(np.where(SHAPE, 0, 1).astype(np.uint8)).convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save(tmp_path / "a.png", transparency=1)
    assert np.array_equal(read_codes(tmp_path / "a.png") == 1, SHAPE)
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.save(tmp_path / "b.png", transparency=1)
    assert np.array_equal(read_codes(tmp_path / "b.png") == 255, SHAPE)


def test_the_same_opacity_everywhere_says_nothing(tmp_path: Path) -> None:
    for opacity in (0, 128, 255):
        grey = np.dstack([OPAQUE, np.full((H, W), opacity, np.uint8)])
        assert np.array_equal(read_codes(save(tmp_path / "a.png", grey)) == 255, SHAPE)


def test_webp_masks_have_the_same_rules() -> None:
    data = io.BytesIO()
    Image.fromarray(stored(SHAPES["white all over"], 6)).save(data, "WEBP", lossless=True, exif=_tag(6))
    assert np.array_equal(codes_of(decode(data.getvalue())) == 255, SHAPE)


def test_each_page_of_a_stack_of_masks_has_its_own_tag_and_transparency(tmp_path: Path) -> None:
    """Three pages of 16-bit colours, whose masks are cut out, turned, and plain."""
    photos, masks = b"", b""
    pages = [
        (SHAPES["black all over"], 1),
        (SHAPES["a cut-out with the photo under it"], 6),
        (WHITE * SHAPE[..., None], 3),
    ]
    for k, (mask, orientation) in reversed([*enumerate(pages, 1)]):
        photos = tiff(PHOTO.astype(np.uint16) * k, then=photos)
        extra = [2] if mask.shape[2] == 4 else []
        masks = tiff(stored(mask, orientation), extra=extra, orientation=orientation, then=masks)
    for part, data in (("images", photos), ("masks", masks)):
        (tmp_path / "set" / part).mkdir(parents=True)
        (tmp_path / "set" / part / "a.tif").write_bytes(data)
    split = read(tmp_path, kind="binary")
    assert [image.source for image in split] == [f"images/a.tif#p00{k}" for k in (1, 2, 3)]
    assert all(np.array_equal(split.masks(image.id)[0], SHAPE) for image in split)
    assert all(np.abs(split.pixels(image.id).astype(int) - PHOTO).mean() < 8 for image in split)
    assert [line for line in split.info["choices"] if line.startswith("2 images whose mask")]
