"""Whatever lies in a folder becomes the benchmark format, or is listed with a reason, or is refused in a sentence."""

import dataclasses
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from tiffs import tiff

from uncertsam.base.errors import UserError
from uncertsam.data.format import Split, read_split, splits_of, write_split
from uncertsam.data.raw.acquire import local
from uncertsam.data.raw.masks import SMALLEST
from uncertsam.data.raw.preprocess import preprocess
from uncertsam.data.splits import Reserved

MODES = {"1": 1, "L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "P": 1, "I;16": 1}  # channels
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"]
orientations = st.sampled_from([1, 1, 1, 2, 3, 6, 8])
sides = st.integers(1, 20)
pixels = st.one_of(st.sampled_from([0, 1, 2, 255]), st.integers(0, 65535))


@st.composite
def pictures(draw: st.DrawFn, height: int, width: int) -> Image.Image:
    """A picture of any mode, mostly of few values: blocks, as masks have them, or noise."""
    mode = draw(st.sampled_from(sorted(MODES)))
    shape = (height, width) if MODES[mode] == 1 else (height, width, MODES[mode])
    values = draw(arrays.arrays(np.uint16, shape, elements=pixels, fill=pixels))
    if mode == "I;16":
        return Image.fromarray(values)
    picture = Image.fromarray((values > 0) if mode == "1" else values.astype(np.uint8))
    if mode == "P":
        picture = picture.convert("P") if draw(st.booleans()) else _with_palette(picture)
    return picture


def _with_palette(picture: Image.Image) -> Image.Image:
    indexed = Image.fromarray(np.asarray(picture), "L").copy()
    indexed.putpalette([255 - i // 3 for i in range(768)])
    return indexed


@dataclasses.dataclass(frozen=True)
class File:
    ending: str
    data: bytes
    pages: int


@dataclasses.dataclass(frozen=True)
class Item:
    """A picture file and its mask file, of one page or more, by the name that they share below images/ and masks/."""

    name: str
    image: File
    mask: File

    def views(self) -> set[str]:
        """What the reading has to name: each page, or the file where the two have not as many."""
        file = f"images/{self.name}.{self.image.ending}"
        if self.image.pages == self.mask.pages > 1:
            return {f"{file}#p{k:03d}" for k in range(1, self.image.pages + 1)}
        return {file}


@st.composite
def files(draw: st.DrawFn, height: int, width: int, pages: int) -> File:
    """A file with or without a tag that turns it upright: by Pillow, or TIFF of any type and number of bands."""
    orientation = draw(orientations)
    shape = (height, width) if orientation < 5 else (width, height)
    if draw(st.booleans()):
        data, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = orientation
        first, *others = [draw(pictures(*shape)) for _ in range(pages)]
        more: dict[str, Any] = {"save_all": True, "append_images": others} if others else {}
        first.save(data, "TIFF" if others else "PNG", **more, **({"exif": exif} if orientation > 1 else {}))
        return File("tif" if others else "png", data.getvalue(), pages)
    written = b""
    for _ in range(pages):
        written = draw(tiffs(*shape, orientation, written))
    return File("tif", written, pages)


@st.composite
def tiffs(draw: st.DrawFn, height: int, width: int, orientation: int, then: bytes) -> bytes:
    values = draw(arrays.arrays(np.uint16, (height, width, draw(st.integers(1, 5))), elements=pixels, fill=pixels))
    with np.errstate(over="ignore"):
        values = values.astype(draw(st.sampled_from(TYPES)))
    white, nodata = draw(st.sampled_from([0, 1, 1])), draw(st.sampled_from([None, "0", "65535", "-9999", "nan"]))
    extra = [draw(st.sampled_from([0, 1, 2]))] * (values.shape[2] - 1)
    return tiff(values, white, extra, orientation, nodata, deflated=draw(st.booleans()), then=then)


@st.composite
def folders(draw: st.DrawFn) -> list[Item]:
    """One to three images with masks, now and then of another size, in sub-folders, of more pages."""
    found = []
    for i in range(draw(st.integers(1, 3))):
        height, width = draw(sides), draw(sides)
        wrong = draw(st.integers(0, 9)) == 0
        size = (draw(sides), draw(sides)) if wrong else (height, width)
        pages = draw(st.sampled_from([1, 1, 1, 2, 3]))
        answers = draw(st.integers(1, 3)) if draw(st.integers(0, 4)) == 0 else pages
        name = draw(st.sampled_from(["", "", "a/", "b/c/"])) + str(i)
        found.append(Item(name, draw(files(height, width, pages)), draw(files(*size, answers))))
    return found


strange = st.lists(
    st.sampled_from(["images/x.heic", "images/a/x", "masks/x.nii.gz", "masks/9.png", "notes.txt", "a/b/c.png"]),
    unique=True,
)
NOISE = ("images/Thumbs.db", "masks/.DS_Store", "desktop.ini", ".cache/x.png", "__MACOSX/images/0.png")


options = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["auto", "binary", "indexed", "colour"]),
        "background": st.sampled_from([None, 0, 1, 255, (0, 0, 0)]),
        "ignore": st.lists(st.sampled_from([0, 2, 255]), max_size=2),
        "components": st.booleans(),
        "min_area": st.integers(0, 30),
        "max_masks_per_image": st.integers(1, 3),
    },
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(folders(), strange, options)
def test_a_folder_is_read_listed_or_refused(folder: list[Item], beside: list[str], given_: Any) -> None:
    with tempfile.TemporaryDirectory() as place:
        root, out = Path(place, "photos"), Path(place, "out")
        names = _save(root, folder) | set(beside)
        for name in (*beside, *NOISE):
            Path(root, name).parent.mkdir(parents=True, exist_ok=True)
            Path(root, name).write_bytes(b"no picture")
        local(root, Path(place, "raw"))
        try:
            preprocess(Path(place, "raw"), out, "any", "folder", given_, {"test": 1.0}, Reserved(), "s", 3, False)
        except UserError as error:
            assert "\n" not in str(error) and error.mend
            assert sorted(p.name for p in Path(place).iterdir()) == ["photos", "raw"]
            return
        (name,) = splits_of(out)
        split = read_split(out / name)
        _check(split)
        assert names == {i.source for i in split} | {s["file"] for s in split.info["skipped"]}
        _check_round_trip(split, Path(place, "again"))


def _save(root: Path, folder: list[Item]) -> set[str]:
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for item in folder:
        for kind, file in (("images", item.image), ("masks", item.mask)):
            path = root / kind / f"{item.name}.{file.ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
    return set().union(*(item.views() for item in folder))


def _check(split: Split) -> None:
    """What every later stage relies on."""
    for image in split:
        masks, void = split.masks(image.id), split.ignored(image.id)
        assert split.pixels(image.id).shape == (image.height, image.width, 3)
        assert masks.shape[1:] == void.shape == (image.height, image.width) and len(masks) > 0
        assert [a.area for a in split.annotations[image.id]] == [int(m.sum()) for m in masks]
        for mask in masks:
            assert mask.sum() >= SMALLEST and not (mask & void).any() and not (mask | void).all()


def _check_round_trip(split: Split, place: Path) -> None:
    (place / "images").mkdir(parents=True)
    for image in split:
        (place / "images" / image.file_name).touch()
    write_split(place, split.info, split, [a for i in split for a in split.annotations[i.id]])
    assert dataclasses.replace(read_split(place), root=split.root) == split
