"""Pictures of every depth, number of channels and layout: one rule, the same through every door."""

import io
import struct
import zlib
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tiffs import tiff

from uncertsam.app.api.pictures import picture_of, pixels_of
from uncertsam.app.demo._photos import uploaded
from uncertsam.data.raw import images
from uncertsam.data.raw.decoding import decode
from uncertsam.data.raw.depth import eight_bits
from uncertsam.data.raw.images import Page, pages_of, read_photo

TYPES = ["u2", "i2", "u4", "i4", "f2", "f4", "f8", "i1", "u8"]


def read(data: bytes) -> images.Photo:
    return images.photo_of(decode(data))


def values(dtype: str, channels: int, seed: int = 0) -> np.ndarray:
    """Of 7 bits, on both sides of 0 where the type has one."""
    found = np.random.default_rng(seed).integers(0, 120, (9, 37, channels))
    return (found - (50 if dtype[0] in "if" else 0)).astype(dtype)


def oracle(samples: np.ndarray) -> np.ndarray:
    """From the smallest value, or 0, to the largest, over all channels."""
    exact = samples.astype(np.float64)
    low = min(exact.min(), 0)
    return np.rint((exact - low) * (255 / (exact.max() - low))).astype(np.uint8)


@pytest.mark.parametrize(("dtype", "channels"), [*product(TYPES, [1, 2, 3, 4, 5, 8])])
def test_every_type_and_number_of_bands_has_one_scale(dtype: str, channels: int) -> None:
    samples = values(dtype, channels)
    shown = oracle(samples[..., : 3 if channels >= 3 else 1])
    for order, planar, tile in product("<>", (1, 2), (0, 16)):
        found = read(tiff(samples, photometric=1, order=order, planar=planar, tile=tile))
        assert np.array_equal(found.pixels, np.broadcast_to(shown, found.pixels.shape))
        assert found.changes == {"deep"} | ({"bands"} if channels > 1 else set())


@pytest.mark.parametrize(("predictor", "dtype"), [(1, "u2"), (2, "u2"), (2, "i4"), (3, "f2"), (3, "f4"), (3, "f8")])
@pytest.mark.parametrize("tile", [0, 16])
def test_packed_samples_are_the_same(predictor: int, dtype: str, tile: int) -> None:
    for channels, order in product((1, 3, 5), "<>"):
        packed = tiff(values(dtype, channels), order=order, deflated=True, predictor=predictor, tile=tile)
        assert np.array_equal(read(packed).pixels, read(tiff(values(dtype, channels))).pixels)


@pytest.mark.parametrize("dtype", ["u2", "i2", "i4", "f4", "f8"])
def test_opencvs_files_are_read_as_opencv_does(tmp_path: Path, dtype: str) -> None:
    for channels in (1, 3, 4):
        samples = values(dtype, channels)
        cv2.imwrite(str(tmp_path / "a.tif"), samples)  # LZW, and predicted
        shown = oracle(samples[..., :3][..., ::-1])
        assert np.array_equal(read_photo(tmp_path / "a.tif").pixels, np.broadcast_to(shown, (9, 37, 3)))


@pytest.mark.parametrize(
    ("suffix", "channels"), [*product(["png", "tif", "jp2"], [1, 3]), ("png", 4), ("tif", 4), ("ppm", 3)]
)
def test_twelve_bits_in_sixteen_are_not_dark_through_any_door(tmp_path: Path, suffix: str, channels: int) -> None:
    samples = np.random.default_rng(0).integers(0, 4096, (40, 50, channels)).astype(np.uint16)
    samples[..., 3:] = 65535
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), samples, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000] if suffix == "jp2" else [])
    shown = np.broadcast_to(oracle(samples[..., :3][..., ::-1]), (40, 50, 3))
    with Image.open(path) as opened:
        doors = [read_photo(path), picture_of(path), picture_of(opened), uploaded(path.read_bytes())]
    assert all(np.array_equal(found.pixels, shown) for found in doors)
    assert all(any("more than 8 bits" in note for note in found.notes) for found in doors)


def test_pictures_of_8_bits_are_as_pillow_reads_them() -> None:
    for mode, form in product(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"], ["TIFF", "PNG", "JPEG"]):
        picture = Image.fromarray(values("u1", 3)).convert(mode)
        data = io.BytesIO()
        try:
            picture.save(data, form)
        except OSError:
            continue
        with Image.open(data) as opened:
            expected = np.asarray(opened.convert("RGBA" if opened.has_transparency_data else "RGB"))[..., :3]
        found = read(data.getvalue())
        assert np.array_equal(found.pixels, expected) and found.scale is None


@pytest.mark.parametrize("dtype", TYPES)
def test_white_as_zero_is_turned_round(dtype: str) -> None:
    samples = values(dtype, 1)
    found = read(tiff(samples, photometric=0))
    assert np.array_equal(found.pixels, np.broadcast_to(255 - oracle(samples), found.pixels.shape))
    assert found.scale is not None and found.scale.inverted and any("white" in note for note in found.notes)
    with Image.open(io.BytesIO(tiff(values("u2", 1), photometric=0))) as loaded:
        loaded.load()
        assert np.array_equal(pixels_of(loaded), read(tiff(values("u2", 1), photometric=0)).pixels)


NO_DATA = [
    ("u2", 65535, None), ("u2", 4000, "4000"), ("u2", 7, "7"), ("i2", -32768, None), ("i2", 32767, None),
    ("i2", -9999, None), ("i4", -2147483648, None), ("u4", 4294967295, None), ("f4", 3.4e38, None),
    ("f4", -3.4028234663852886e38, None), ("f4", np.nan, None), ("f4", np.inf, None), ("f4", -np.inf, "nan"),
    ("f4", -9999, None), ("f4", -9999.5, "-9999.5"), ("f4", 0.1, "0.1"), ("f4", 1e10, None), ("f4", 1e20, None),
    ("f2", np.nan, None), ("f8", -1.7976931348623157e308, None), ("f8", 9.96921e36, None),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "value", "declared"), NO_DATA)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_value_without_data_has_no_part_in_the_scale(
    dtype: str, value: float, declared: str | None, channels: int
) -> None:
    samples = values(dtype, channels)
    samples[samples == 7] = 8
    samples[0] = value
    found = read(tiff(samples, nodata=declared))
    assert np.array_equal(found.pixels[1:], np.broadcast_to(oracle(samples[1:]), (8, 37, 3)))
    assert len(np.unique(found.pixels[0])) == 1 and found.pixels[0, 0, 0] in (0, 255)
    certain = declared is not None or not abs(value) < 1e30
    assert found.scale is not None and (found.scale.missing if certain else found.scale.alone[0][1]) == 37
    assert any(note.startswith("37 of its pixels") for note in found.notes)


def test_a_picture_keeps_what_only_resembles_no_data() -> None:
    """65535 where there is light nearly as bright; two values alone; nothing but no data."""
    bright = np.linspace(0, 65535, 300).astype(np.uint16).reshape(10, 30, 1)
    assert np.array_equal(eight_bits(bright)[0], oracle(bright)) and not eight_bits(bright)[1].alone
    two = np.array([[[0], [65535]]], np.uint16)
    assert eight_bits(two)[0].ravel().tolist() == [0, 255]
    empty, scale = eight_bits(np.full((2, 3, 1), np.nan, np.float32))
    assert not empty.any() and scale.missing == 6


def test_no_data_at_both_ends_is_found() -> None:
    samples = np.array([[[-9999], [0], [40], [200], [65535]]], np.int32)
    assert eight_bits(samples)[0].ravel().tolist() == [0, 0, 51, 255, 255]


def test_negative_values_keep_their_order() -> None:
    hounsfield = np.arange(-1000, 2000, dtype=np.int32).reshape(60, 50)
    shown = pixels_of(hounsfield)[..., 0].ravel().astype(int)
    assert (np.diff(shown) >= 0).all() and len(np.unique(shown)) == 256
    assert np.array_equal(pixels_of(Image.fromarray(hounsfield)), pixels_of(hounsfield))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_deep_picture_is_turned_as_a_plain_one(orientation: int) -> None:
    plain = values("u1", 3)
    plain[0, 0] = 255
    deep = read(tiff(plain.astype(np.uint16), orientation=orientation))
    assert np.array_equal(deep.pixels, read(tiff(plain, orientation=orientation)).pixels)
    assert ("turned" in deep.changes) == (orientation != 1) and deep.orientation == orientation


def test_alpha_has_no_part_in_the_scale() -> None:
    samples = values("u2", 4)
    samples[..., 3] = 65535
    found = read(tiff(samples, extra=[2]))
    assert np.array_equal(found.pixels, oracle(samples[..., :3])) and found.changes == {"deep", "alpha"}
    multiplied = np.concatenate([samples[..., :3] // 2, samples[..., 3:] // 2], axis=2)
    assert np.abs(read(tiff(multiplied, extra=[1])).pixels.astype(int) - found.pixels).max() <= 3


def test_transparent_grey_of_16_bits_has_no_data() -> None:
    grey = values("u2", 1)
    grey[0] = 65535
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey)
    head = struct.pack(">IIBBBBB", 37, 9, 16, 0, 0, 0, 0)
    found = read(png([(b"IHDR", head), (b"tRNS", b"\xff\xff"), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]))
    assert np.array_equal(found.pixels[1:, :, :1], oracle(grey[1:])) and not found.pixels[0].any()


def test_bytes_are_not_taken_for_pixels_where_size_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9 * 37)
    for deflated, tile in product((False, True), (0, 16)):
        assert read(tiff(values("f8", 5), deflated=deflated, tile=tile)).pixels.any()


@pytest.mark.parametrize("cut", [9, 60, 200])
def test_a_deep_tiff_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    whole = tiff(values("f8", 5), deflated=True)
    (tmp_path / "a.tif").write_bytes(whole[:cut])
    with pytest.raises(images.Unusable, match="a.tif cannot be read"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("order", "<>")
def test_each_page_of_a_tiff_is_read_by_its_own_type_and_tags(tmp_path: Path, order: str) -> None:
    pages = [
        (values("f4", 3), 6),
        (values("u1", 3), 3),
        (values("u2", 3), 1),
        (values("u1", 1), 8),
        (values("i2", 5), 1),
    ]
    whole = b""
    for samples, orientation in reversed(pages):
        whole = tiff(samples, orientation=orientation, order=order, then=whole)
    (tmp_path / "a.tif").write_bytes(whole)
    assert pages_of(tmp_path / "a.tif").numbers == pages_of(whole).numbers == [1, 2, 3, 4, 5]
    for number, (samples, orientation) in enumerate(pages, 1):
        single = read(tiff(samples, orientation=orientation, order=order))
        found = read_photo(Page(tmp_path / "a.tif", number))
        assert np.array_equal(found.pixels, single.pixels) and found.notes == single.notes
    for first in (picture_of(tmp_path / "a.tif"), uploaded(whole)):
        assert "5 pages" in first.notes[0] and "upright" in first.notes[1] and "more than 8 bits" in first.notes[2]


def test_an_opened_tiff_is_read_at_its_page_whatever_the_other_pages_are() -> None:
    pages = [values("u1", 3, 1), values("f4", 3), values("u2", 3)]
    whole = tiff(pages[0], then=tiff(pages[1], then=tiff(pages[2], orientation=6)))
    with Image.open(io.BytesIO(whole)) as opened:
        found = picture_of(opened)
    assert np.array_equal(found.pixels, pages[0]) and "3 pages, of which this is page 1" in found.notes[0]
    whole = tiff(pages[0], then=tiff(pages[2], orientation=6))
    with Image.open(io.BytesIO(whole)) as opened:
        opened.seek(1)
        found = picture_of(opened)
    assert np.array_equal(found.pixels, np.rot90(oracle(pages[2]), -1)) and "this is page 2" in found.notes[0]


def test_of_an_animated_png_of_16_bits_the_first_page_is_read_and_the_others_are_refused(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 4096, (5, 7, 3)).astype(np.uint16)
    packed = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples))
    control = struct.pack(">IIIIHHBB", 7, 5, 0, 0, 1, 10, 0, 0)
    head = struct.pack(">IIBBBBB", 7, 5, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", b"\0" * 4 + control), (b"IDAT", packed)]
    chunks += [(b"fcTL", b"\0\0\0\1" + control), (b"fdAT", b"\0\0\0\2" + packed), (b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(png(chunks))
    assert np.array_equal(read_photo(Page(tmp_path / "a.png", 1)).pixels, oracle(samples))
    with pytest.raises(images.Unusable, match="a.png#p002 .* colours of 16 bits"):
        read_photo(Page(tmp_path / "a.png", 2))


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [struct.pack(">I", len(v)) + k + v + struct.pack(">I", zlib.crc32(k + v)) for k, v in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
