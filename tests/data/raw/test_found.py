"""Every page and every file of a folder is used, or listed with its reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from raw_sets import benchmark, nifti_file

from uncertsam.data.raw.adapters.base import Reading, read_raw
from uncertsam.data.raw.images import Page, Unusable, read_photo

PAGED = {".tif": {}, ".gif": {}, ".webp": {"lossless": True}, ".png": {}, ".apng": {"default_image": True}}
HEIGHT, WIDTH = 24, 32


def photo(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8))


def mask(side: int) -> Image.Image:
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[2 : 2 + side, 3 : 3 + side] = 255
    return Image.fromarray(values)


def stack(path: Path, pages: list[Image.Image], **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    more: dict[str, Any] = {"save_all": True, "append_images": pages[1:]} if len(pages) > 1 else {}
    pages[0].save(path, **more, **options)


def pair(root: Path, name: str, count: int, ending: str = ".tif") -> None:
    stack(root / "images" / f"{name}{ending}", [photo(k) for k in range(count)])
    stack(root / "masks" / f"{name}{ending}", [mask(5 + k) for k in range(count)])


def read(root: Path, **options: Any) -> Reading:
    return read_raw("folder", root, options)


def reasons(reading: Reading) -> dict[str, str]:
    return {skip.file: skip.reason for skip in reading.skipped}


@pytest.mark.parametrize("ending", PAGED)
def test_every_page_is_an_image_with_the_mask_at_its_place(tmp_path: Path, ending: str) -> None:
    stack(tmp_path / "s" / "images" / f"a{ending}", [photo(k) for k in range(4)], **PAGED[ending])
    stack(tmp_path / "s" / "masks" / f"a{ending}", [mask(5 + k) for k in range(4)], **PAGED[ending])
    split = benchmark(tmp_path / "s")
    assert [image.source for image in split] == [f"images/a{ending}#p{k:03d}" for k in range(1, 5)]
    assert [int(split.masks(image.id).sum()) for image in split] == [(5 + k) ** 2 for k in range(4)]
    assert len({image.group for image in split}) == 1 and "4 pages of 1 file are images" in str(split.info["choices"])
    for k in range(4):
        page = read_photo(Page(tmp_path / "s" / "images" / f"a{ending}", k + 1))
        assert np.array_equal(page.pixels[..., 0], np.asarray(photo(k)))


def test_pages_and_masks_that_differ_in_number_are_left_out_together(tmp_path: Path) -> None:
    pair(tmp_path, "good", 2)
    pair(tmp_path, "less", 3)
    stack(tmp_path / "masks" / "less.tif", [mask(5)])
    reading = read(tmp_path)
    assert len(reading.images) == 2
    assert "it has 3 pages, and its mask masks/less.tif 1;" in reasons(reading)["images/less.tif"]


@pytest.mark.parametrize("part", ["images", "masks"])
def test_a_layout_of_one_page_per_file_lists_a_file_of_several(tmp_path: Path, part: str) -> None:
    """Here COIFT's, with its masks and images under other endings."""
    pair(tmp_path, "a", 1)
    stack(tmp_path / part / "a.tif", [photo(0), photo(1)])
    reading = read_raw("coift", tmp_path, {"files": {"test": ["images/*.tif", "masks/*.tif"]}})
    with pytest.raises(Unusable, match="a.tif has 2 pages where one is expected"):
        (reading.images[0].photo if part == "images" else reading.images[0].read_labels)()


def test_smaller_copies_and_a_phones_further_images_are_no_pages(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    small = photo(0).resize((WIDTH // 2, HEIGHT // 2))
    small.encoderinfo = {"tiffinfo": {254: 1}}  # NewSubfileType: a smaller copy
    stack(tmp_path / "images" / "a.tif", [photo(0), small])
    photo(1).convert("RGB").save(tmp_path / "images" / "b.jpg", "MPO", save_all=True, append_images=[photo(2)])
    for name in "ab":
        mask(8).save(tmp_path / "masks" / f"{name}.png")
    reading = read(tmp_path)
    assert [image.photo().pixels.shape for image in reading.images] == [(HEIGHT, WIDTH, 3)] * 2
    assert [image.name for image in reading.images] == ["images/a.tif", "images/b.jpg"]
    assert any("Passed over in 2 files" in line for line in reading.choices)


@pytest.mark.parametrize("spoil", [lambda b: b[: len(b) // 2], lambda b: b[:-300], lambda b: b[:200], lambda b: b""])
@pytest.mark.parametrize("ending", [".tif", ".gif", ".webp", ".png"])
def test_a_broken_stack_costs_itself_or_its_broken_pages(
    tmp_path: Path, ending: str, spoil: Callable[[bytes], bytes]
) -> None:
    pair(tmp_path / "s", "good", 1, ".png")
    pair(tmp_path / "s", "bad", 4, ending)
    file = tmp_path / "s" / "images" / f"bad{ending}"
    file.write_bytes(spoil(file.read_bytes()))
    split = benchmark(tmp_path / "s")
    assert "images/good.png" in {image.source for image in split}
    assert any("bad" in skip["file"] for skip in split.info["skipped"])
    assert str(tmp_path) not in json.dumps(split.info)


def test_a_picture_in_a_sub_folder_has_the_mask_in_the_same_one(tmp_path: Path) -> None:
    for k, name in enumerate(["a/x", "b/x", "x", "b/deep/er/y"]):
        pair(tmp_path, name, 1)
        stack(tmp_path / "masks" / f"{name}.tif", [mask(5 + k)])
    (tmp_path / "masks" / "b" / "x.tif").rename(tmp_path / "masks" / "b" / "z.tif")
    reading = read(tmp_path)
    found = {image.name: int(image.read_labels().masks[0][1].sum()) for image in reading.images}
    assert found == {"images/a/x.tif": 25, "images/x.tif": 49, "images/b/deep/er/y.tif": 64}
    assert reasons(reading) == {
        "images/b/x.tif": "it has no mask of the same name",
        "masks/b/z.tif": "it has no image of the same name",
    }


@pytest.mark.parametrize("ending", ["gif", "jp2", "avif", "webp", "bmp", "ppm", "tga", "jfif", "JPEG"])
def test_what_pillow_reads_is_used(tmp_path: Path, ending: str) -> None:
    pair(tmp_path, "a", 1, ".png")
    photo(1).convert("RGB").save(tmp_path / "images" / f"b.{ending}", format={"jfif": "JPEG"}.get(ending))
    mask(9).save(tmp_path / "masks" / "b.gif")
    reading = read(tmp_path)
    assert [int(image.read_labels().masks[0][1].sum()) for image in reading.images] == [25, 81]
    assert abs(reading.images[1].photo().pixels.astype(int).mean() - np.asarray(photo(1)).mean()) < 5


def test_what_nobody_reads_is_listed_with_a_remedy_and_noise_is_not(tmp_path: Path) -> None:
    pair(tmp_path, "a", 1)
    for name in ("images/b.heic", "images/c", "masks/v.nii.gz", "old/a.png", "a.png", "images/Thumbs.db", ".x/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for k in range(30):
        (tmp_path / "old" / f"{k}.json").touch()
    (tmp_path / "images" / "linked").symlink_to(tmp_path / "old")
    told = reasons(read(tmp_path))
    assert {"images/b.heic", "images/c", "masks/v.nii.gz", "old/", "a.png", "images/linked"} == set(told)
    assert "convert it to PNG" in told["images/b.heic"] and "`nifti`" in told["masks/v.nii.gz"]
    assert told["old/"].startswith("31 files") and "link" in told["images/linked"]


def spoilt(content: bytes, how: str) -> bytes:
    header = bytearray(content)
    header[:4] = b"\x01\x02\x03\x04"
    end = bytearray(content)
    end[-8] ^= 255  # the checksum of a .gz
    return {"half": content[: len(content) // 2], "empty": b"", "header": bytes(header), "sum": bytes(end)}[how]


@pytest.mark.parametrize(
    ("ending", "how"),
    [*((e, h) for e in (".nii", ".nii.gz") for h in ("half", "empty", "header")), (".nii.gz", "sum")],
)
@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_spoilt_volume_is_named_and_the_good_one_is_used(tmp_path: Path, ending: str, shape: Any, how: str) -> None:
    voxels = np.random.default_rng(0).normal(0, 30, (12, 14, 6)).astype(np.float32)
    labels = np.zeros(voxels.shape, np.uint8)
    labels[3:8, 4:9, 2:5] = 1
    for name, values in (("bad", voxels.reshape(*voxels.shape, *[1] * len(shape))), ("good", voxels)):
        more = np.repeat(values, shape[0], axis=-1) if name == "bad" and shape else values
        image = nifti_file(tmp_path / "images" / f"{name}{ending}", more)
        nifti_file(tmp_path / "masks" / f"{name}{ending}", labels)
        if name == "bad":
            image.write_bytes(spoilt(image.read_bytes(), how))
    options = {"volume": 0} if shape else {}
    reading = read_raw("nifti", tmp_path, options)
    assert [image.name for image in reading.images] == [f"images/good{ending}#axial_{k:04d}" for k in (2, 3, 4)]
    assert list(reasons(reading)) == [f"images/bad{ending}"]


def test_a_set_of_volumes_lists_what_is_none(tmp_path: Path) -> None:
    labels = np.zeros((9, 9, 3), np.int16)
    labels[2:6, 2:6, 1] = np.arange(1, 5)
    for name in ("images/a.nii", "labels/a.nii.gz", "images/b.nii", "more/c.nii"):
        nifti_file(tmp_path / name, labels)
    (tmp_path / "images" / "a.png").touch()
    reading = read_raw("nifti", tmp_path, {})
    assert {image.group for image in reading.images} == {"a"}
    assert set(reasons(reading)) == {"images/b.nii", "images/a.png", "more/c.nii"}
