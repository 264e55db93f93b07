"""The authors' raw layouts in small: what is read from each, by which rule of App. B, and what is listed or refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as masktools

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json
from uncertsam.data.format import Split, read_split
from uncertsam.data.raw.adapters.base import Labels, Reading, read_raw
from uncertsam.data.raw.images import Unusable
from uncertsam.data.raw.preprocess import preprocess
from uncertsam.data.raw.segmentations import decode
from uncertsam.data.splits import Reserved

Pixels = np.ndarray
HEIGHT, WIDTH = 60, 80
YELLOW, RED, BLUE, WHITE = (255, 255, 0), (255, 0, 0), (0, 0, 255), (255, 255, 255)
TWO = {"min_area": 50}  # pixels, instead of the 1,000 of App. B


def save(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def photo(seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def squares(value: int = 255) -> Pixels:
    """Two squares far from each other (100 and 144 pixels) and a speck of 4."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:15, 5:15], mask[40:52, 60:72], mask[50:52, 5:7] = value, value, value
    return mask


def coloured(**boxes: tuple[tuple[int, int, int], tuple[slice, slice]]) -> Pixels:
    mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for colour, at in boxes.values():
        mask[at] = colour
    return mask


def found(labels: Labels) -> dict[str, int]:
    return {label: int(mask.sum()) for label, mask in labels.masks}


def benchmark(root: Path, adapter: str, **options: Any) -> Split:
    """The raw set as one test split of the benchmark."""
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "inventory.json")
    files = {path.relative_to(root).as_posix(): sha256(path) for path in paths}
    write_json(root / "inventory.json", {"root": ".", "synthetic": False, "files": files})
    out = root.parent / f"{root.name}_benchmark"
    preprocess(root, out, "toy", adapter, options, {"test": 1.0}, Reserved(), "s", 0, progress=False)
    return read_split(out / "test")


# --- one tiny raw set per layout


def big(root: Path) -> Path:
    for i, name in enumerate(("1 dog", "2_cat")):
        save(root / f"{name}_im.jpg", photo(i))
        save(root / f"{name}_gt.png", squares())
        save(root / f"{name}_seg.png", squares())
    return root


def coift(root: Path) -> Path:
    for i in range(2):
        save(root / "images" / f"{i}.jpg", photo(i))
        save(root / "masks" / f"{i}.png", squares())
    return root


def sbu(root: Path) -> Path:
    for i, folder in enumerate(("SBU-Test", "SBUTrain4KRecoveredSmall")):
        save(root / folder / "ShadowImages" / f"lssd{i}.jpg", photo(i))
        save(root / folder / "ShadowMasks" / f"lssd{i}.png", squares())
    return root


FLARE = coloured(
    glare=(YELLOW, np.s_[5:25, 5:25]),
    source=(BLUE, np.s_[10:20, 10:20]),
    one=(RED, np.s_[5:15, 50:60]),
    two=(RED, np.s_[40:50, 50:60]),
    odd=((0, 255, 0), np.s_[0:1, 0:7]),
)


def flare7k(root: Path) -> Path:
    for kind in ("real", "synthetic"):
        save(root / "test_data" / kind / "input" / "input_000001.png", photo())
        save(root / "test_data" / kind / "gt" / "gt_000001.png", photo())
        save(root / "test_data" / kind / "mask" / "mask_000001.png", FLARE)
    return root


GLASS = coloured(thing=(RED, np.s_[5:15, 5:15]), stuff=(WHITE, np.s_[5:15, 15:35]), other=(RED, np.s_[40:50, 60:70]))


def trans10k(root: Path) -> Path:
    folders = ["train", *(f"{split}/{level}" for split in ("validation", "test") for level in ("easy", "hard"))]
    for i, folder in enumerate(folders):
        save(root / folder / "images" / "7.jpg", photo(i))
        save(root / folder / "masks" / "7_mask.png", GLASS)
    return root


TRIANGLE = [[10.0, 10.0, 30.0, 10.0, 10.0, 30.0]]


def coco_json(**changes: Any) -> dict[str, Any]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:30, 40:50] = True
    packed: Any = masktools.encode(np.asfortranarray(mask.astype(np.uint8)))
    text = {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}
    runs = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * 40 + 20, *[10, 50] * 9, 10, HEIGHT * 30 + 30]}
    shapes = {1: TRIANGLE, 2: text, 3: runs, 4: runs}
    value: dict[str, Any] = {
        "info": {"year": 2017},
        "images": [{"id": i, "file_name": f"{i:04d}.jpg", "height": HEIGHT, "width": WIDTH} for i in (10, 11, 12)],
        "annotations": [
            {"id": i, "image_id": 10, "category_id": 5, "iscrowd": int(i == 4), "segmentation": shape}
            for i, shape in shapes.items()
        ],
        "categories": [{"id": 5, "name": "hot dog"}],
    }
    value["annotations"].append({"id": 5, "image_id": 11, "category_id": 6, "segmentation": TRIANGLE, "iscrowd": 0})
    return value | changes


def coco(root: Path, value: dict[str, Any] | None = None) -> Path:
    for i in (10, 11):
        save(root / "val2017" / f"{i:04d}.jpg", photo(i))
    write_json(root / "annotations" / "instances_val2017.json", value or coco_json())
    return root


def volume(seed: int = 0) -> tuple[Pixels, Pixels]:
    """A bright body in air, in it an organ (1) on 3 slices and a spot (2) on one; axes right, anterior, superior."""
    rng = np.random.default_rng(seed)
    voxels = np.full((24, 20, 8), -1000.0)
    voxels[3:21, 3:17] = rng.normal(40, 30, (18, 14, 8))
    labels = np.zeros(voxels.shape, np.uint8)
    labels[5:12, 6:11, 2:5] = 1
    labels[13:16, 6:9, 3] = 2
    return np.rint(voxels).astype(np.int16), labels


def nifti_file(path: Path, values: Pixels, affine: Pixels | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine), path)


def msd(root: Path) -> Path:
    task = root / "Task09_Spleen"
    for number in (10, 2):
        voxels, labels = volume(number)
        nifti_file(task / "imagesTr" / f"spleen_{number}.nii.gz", voxels)
        nifti_file(task / "labelsTr" / f"spleen_{number}.nii.gz", labels * (labels == 1))
    (task / "imagesTr" / "._spleen_10.nii.gz").write_bytes(b"what macOS leaves in archives")
    cases = [{k: f"./{f}/spleen_{n}.nii.gz" for k, f in MSD_FOLDERS.items()} for n in (10, 2, 99)]
    labels = {"0": "background", "1": "spleen"}
    write_json(task / "dataset.json", {"name": "Spleen", "modality": {"0": "CT"}, "labels": labels, "training": cases})
    return root


MSD_FOLDERS = {"image": "imagesTr", "label": "labelsTr"}


def nifti(root: Path) -> Path:
    voxels, labels = volume()
    nifti_file(root / "images" / "patient 1.nii.gz", voxels)
    nifti_file(root / "labels" / "patient 1.nii.gz", labels)
    return root


LAYOUTS: dict[str, tuple[Callable[[Path], Path], dict[str, Any], int, list[str]]] = {
    "big": (big, TWO, 2, ["object/1", "object/2"]),
    "coift": (coift, {}, 2, ["object"]),
    "sbu": (sbu, TWO, 1, ["shadow/1", "shadow/2"]),
    "flare7k": (flare7k, TWO, 1, ["glare/1", "light source/1", "streak/1", "streak/2"]),
    "trans10k": (trans10k, TWO, 2, ["transparent/1", "transparent/2"]),
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


@pytest.mark.parametrize(
    ("name", "components", "licence", "quality"),  # App. B, Table 2
    [
        ("big", True, "research only", "human"),
        ("coift", False, "CC BY-NC 4.0", "human"),
        ("msd", False, "CC BY-SA 4.0", "human"),
        ("sbu", True, "unknown", "human"),
        ("flare7k", True, "S-Lab License 1.0", "human"),
        ("trans10k", True, "research only", "human"),
        ("coco", False, "not stated", "unknown"),
        ("nifti", False, "not stated", "unknown"),
    ],
)
def test_preprocessing_and_licences_are_those_of_table_2(
    tmp_path: Path, name: str, components: bool, licence: str, quality: str
) -> None:
    reading = read_raw(name, LAYOUTS[name][0](tmp_path), {})
    assert any("connected components" in line and "larger than 1000" in line for line in reading.choices) == components
    assert reading.licence.startswith(licence)
    assert {image.quality for image in reading.images} == {quality}


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_empty_folder_is_refused_with_what_was_expected(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"has no image .* set `files`|is missing"):
        read_raw(name, tmp_path, {})


@pytest.mark.parametrize("name", LAYOUTS)
def test_unknown_options_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="Option 'colour'"):
        read_raw(name, tmp_path, {"colour": 1})


# --- pairs


def test_a_file_without_a_partner_is_listed(tmp_path: Path) -> None:
    save(coift(tmp_path) / "images" / "alone.jpg", photo())
    save(tmp_path / "masks" / "left.png", squares())
    assert {s.file: s.reason for s in read_raw("coift", tmp_path, {}).skipped} == {
        "images/alone.jpg": "it has no mask of the same name (masks/*.png)",
        "masks/left.png": "it has no image of the same name (images/*.jpg)",
    }


def test_names_match_in_either_unicode_form_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    save(tmp_path / "images" / "caf\u00e9 1.jpg", photo())
    save(tmp_path / "masks" / "cafe\u0301 1.png", squares())
    (tmp_path / "images" / "._caf\u00e9 1.jpg").write_bytes(b"")
    reading = read_raw("coift", tmp_path, {})
    assert len(reading.images) == 1 and not reading.skipped


def test_names_that_differ_in_their_unicode_form_only_are_refused(tmp_path: Path) -> None:
    for name in ("caf\u00e9", "cafe\u0301"):
        save(coift(tmp_path) / "images" / f"{name}.jpg", photo())
    with pytest.raises(UserError, match="same name"):
        read_raw("coift", tmp_path, {})


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


@pytest.mark.parametrize(("name", "label"), [("big", "object"), ("sbu", "shadow")])
def test_components_are_kept_apart_and_specks_are_listed(tmp_path: Path, name: str, label: str) -> None:
    labels = read_raw(name, LAYOUTS[name][0](tmp_path), TWO).images[0].read_labels()
    assert found(labels) == {f"{label}/1": 100, f"{label}/2": 144}
    assert labels.skipped == [f"{label}: its components of at most 50 pixels, 4 pixels in all"]


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


# --- COCO


def coco_labels(root: Path, at: int = 0, **options: Any) -> Labels:
    return read_raw("coco", root, options).images[at].read_labels()


def test_three_ways_to_write_a_mask_are_read_and_crowds_left_out_unless_told(tmp_path: Path) -> None:
    labels = coco_labels(coco(tmp_path))
    masks = dict(labels.masks)
    assert np.array_equal(masks["hot dog/2"], masks["hot dog/3"]) and masks["hot dog/2"].sum() == 100
    assert masks["hot dog/1"][12, 12] and not masks["hot dog/1"][28, 28]
    assert 180 <= masks["hot dog/1"].sum() <= 220  # half of 20 x 20
    assert "hot dog/4" in dict(coco_labels(tmp_path, crowd=True).masks)
    choices = read_raw("coco", tmp_path, {}).choices
    assert "1 region of many objects at once (iscrowd) left out." in choices
    assert "1 image without such an annotation left out." in choices


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=40, deadline=None)
def test_both_run_length_forms_give_back_any_mask(mask: Pixels) -> None:
    flat = np.r_[False, mask.T.ravel()]
    edges = np.flatnonzero(np.diff(flat)) if flat.any() else np.array([], int)
    plain = np.diff(np.r_[0, edges, mask.size]).tolist()
    packed: Any = masktools.encode(np.asfortranarray(mask.astype(np.uint8)))
    for counts in (plain, packed["counts"].decode()):
        assert np.array_equal(decode({"size": list(mask.shape), "counts": counts}, *mask.shape), mask)


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ([], "no segmentation"),
        (None, "no segmentation"),
        ([[1, 2, 3, 4]], "4 numbers, not three points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "7 numbers"),
        ([[0, 0, 1e9, 0, 0, 1e9]], "far outside"),
        ([[0, 0, float("nan"), 0, 0, 9]], "neither polygons nor run lengths"),
        ("text", "neither polygons nor run lengths"),
        ({"size": [HEIGHT, WIDTH]}, "neither polygons nor run lengths"),
        ({"size": [HEIGHT, WIDTH], "counts": [-1, 4801]}, "neither polygons nor run lengths"),
        ({"size": [HEIGHT, WIDTH], "counts": [5]}, "cover 5 of 4800"),
        ({"size": [WIDTH, HEIGHT], "counts": [4800]}, "60x80 pixels, the image has 80x60"),
        ({"size": [HEIGHT, WIDTH], "counts": "é0"}, "RLE is broken"),
        ({"size": [HEIGHT, WIDTH], "counts": "04"}, "RLE is broken"),
    ],
)
def test_a_broken_annotation_is_listed_and_the_others_stay(tmp_path: Path, segmentation: Any, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        decode(segmentation, HEIGHT, WIDTH)
    value = coco_json()
    value["annotations"][0]["segmentation"] = segmentation
    if reason != "neither polygons nor run lengths" or segmentation == "text":  # JSON has no NaN
        labels = coco_labels(coco(tmp_path, value))
        assert len(labels.masks) == 2 and labels.skipped[0].startswith("hot dog/1: ")


def test_what_does_not_belong_together_is_listed(tmp_path: Path) -> None:
    value = coco_json()
    value["annotations"] += [
        {"id": 6, "image_id": 404, "category_id": 5, "segmentation": TRIANGLE},
        {"id": 7, "image_id": 12, "category_id": 5, "segmentation": TRIANGLE},
        {"id": 8, "image_id": 13, "category_id": 5, "segmentation": TRIANGLE},
    ]
    value["images"].append({"id": 13, "file_name": "../../13.jpg", "height": HEIGHT, "width": WIDTH})
    save(tmp_path / "13.jpg", photo())
    reading = read_raw("coco", coco(tmp_path / "raw", value), {})
    assert {s.file: s.reason for s in reading.skipped} == {
        "val2017/0012.jpg": "the image is not in the raw set",
        "val2017/../../13.jpg": "the image is not in the raw set",
        "annotations/instances_val2017.json": "annotation 6 is of image 404, which is not listed",
    }
    assert len(reading.images) == 2


def twice(key: str) -> dict[str, Any]:
    entries = coco_json()[key]
    return coco_json(**{key: [*entries, entries[0]]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "no instances JSON"),
        (json.dumps({"images": []}), "annotations: Field required"),
        (json.dumps(twice("images")), "image id 10 2 times"),
        (json.dumps(twice("annotations")), "annotation id 1 2 times"),
        (json.dumps(coco_json(images=[{"id": 1, "file_name": "a", "height": 0, "width": 4}])), "images.0.height"),
    ],
)
def test_a_wrong_json_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (coco(tmp_path) / "annotations" / "instances_val2017.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_raw("coco", tmp_path, {})


# --- volumes as their authors lay them out (the slices themselves: test_volumes.py)


def test_msd_names_labels_groups_patients_and_lists_what_is_missing(tmp_path: Path) -> None:
    reading = read_raw("msd", msd(tmp_path), {})
    assert {image.group for image in reading.images} == {"spleen_10", "spleen_2"}
    assert reading.images[0].name == "Task09_Spleen/imagesTr/spleen_10.nii.gz#axial_0002"
    assert [(s.file, s.reason) for s in reading.skipped] == [
        ("imagesTr/spleen_99.nii.gz", "spleen_99.nii.gz is listed but not there")
    ]
    inside = read_raw("msd", tmp_path / "Task09_Spleen", {})
    assert [i.name for i in inside.images] == [i.name.removeprefix("Task09_Spleen/") for i in reading.images]


def test_all_slices_of_a_patient_go_to_one_split(tmp_path: Path) -> None:
    split = benchmark(msd(tmp_path / "raw"), "msd")
    groups = {record.source.split("#")[0]: set[str]() for record in split}
    for record in split:
        groups[record.source.split("#")[0]].add(record.group)
    assert [len(g) for g in groups.values()] == [1, 1] and len(set.union(*groups.values())) == 2


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not JSON"), ("{}", "training: Field required"), (None, "dataset.json is missing")]
)
def test_a_wrong_task_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = msd(tmp_path) / "Task09_Spleen" / "dataset.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_raw("msd", tmp_path, {})


def test_nifti_takes_chosen_labels_names_and_patterns(tmp_path: Path) -> None:
    (nifti(tmp_path) / "images").rename(tmp_path / "raw")
    for path in [*(tmp_path / "raw").iterdir(), *(tmp_path / "labels").iterdir()]:
        path.rename(path.with_name(f"p1_{path.parent.name}.nii.gz"))
    options = {"files": [["raw/*_raw.nii.gz", "labels/*_labels.nii.gz"]], "labels": [2], "names": {2: "spot"}}
    reading = read_raw("nifti", tmp_path, options)
    assert [image.name for image in reading.images] == ["raw/p1_raw.nii.gz#axial_0003"]
    assert reading.images[0].group == "p1" and found(reading.images[0].read_labels()) == {"spot": 9}


def test_several_patterns_share_a_folder(tmp_path: Path) -> None:
    voxels, labels = volume()
    for name in ("p1_ct", "p2_mr"):
        nifti_file(tmp_path / f"{name}.nii.gz", voxels)
        nifti_file(tmp_path / f"{name[:2]}_seg.nii.gz", labels)
    reading = read_raw("nifti", tmp_path, {"files": [["*_ct.nii.gz", "*_seg.nii.gz"], ["*_mr.nii.gz", "*_seg.nii.gz"]]})
    assert {image.group for image in reading.images} == {"p1", "p2"} and not reading.skipped


def test_a_volume_that_fits_two_patterns_is_refused(tmp_path: Path) -> None:
    both = ["images/*.nii.gz", "labels/*.nii.gz"]
    with pytest.raises(UserError, match="fits two of the patterns"):
        read_raw("nifti", nifti(tmp_path), {"files": [both, both]})


def test_of_many_volumes_the_broken_ones_are_listed(tmp_path: Path) -> None:
    root = nifti(tmp_path / "raw")
    voxels, labels = volume()
    for name, (image, mask) in {
        "larger": (voxels[:-1], labels),
        "blank": (voxels, labels * 0),
        "cut": (voxels, labels),
        "4d": (np.stack([voxels] * 3, axis=-1), labels),
    }.items():
        nifti_file(root / "images" / f"{name}.nii.gz", image)
        nifti_file(root / "labels" / f"{name}.nii.gz", mask)
    cut = root / "images" / "cut.nii.gz"
    cut.write_bytes(cut.read_bytes()[:2000])
    reading: Reading = read_raw("nifti", root, {})
    reasons = {s.file.removeprefix("images/").removesuffix(".nii.gz"): s.reason for s in reading.skipped}
    assert reasons["larger"] == "its label is 24x20x8 voxels large, the volume 23x20x8"
    assert reasons["blank"] == "no voxel has a chosen label"
    assert reasons["cut"].startswith("cut.nii.gz cannot be read as a volume")
    assert "4-D and holds 3 volumes: choose one with `volume`" in reasons["4d"]
    assert {image.group for image in reading.images} == {"patient 1"} and str(tmp_path) not in json.dumps(reasons)
