"""One world behind each raw dataset of the paper: what a world draws is what the dataset's adapter reads."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import nibabel
import numpy as np
import pytest
from pycocotools import mask as masktools

from uncertsam.base.rng import numpy_generator
from uncertsam.data.raw import acquire
from uncertsam.data.raw.adapters.base import RawImage, read_raw
from uncertsam.data.raw.masks import fault
from uncertsam.data.raw.synthesis import scenery, shapes
from uncertsam.data.raw.worlds import (
    camouflage,
    everything,
    fine_boundaries,
    flares,
    hard_shadows,
    organs,
    panes,
    soft_shadows,
    thin_structures,
)

Mask = np.ndarray
SMALL = {"size": 128, "seed": 5}


class World(NamedTuple):
    """A world, the adapter that reads it, and its picture `index` with the masks that it drew, by label."""

    module: Any
    adapter: str
    drawn: Callable[[Any, int], tuple[np.ndarray, dict[str, Mask]]]
    options: dict[str, Any]


def _one(module: Any, label: str) -> Callable[[Any, int], tuple[np.ndarray, dict[str, Mask]]]:
    def drawn(params: Any, index: int) -> tuple[np.ndarray, dict[str, Mask]]:
        picture, mask, *_ = module.draw(params, index)
        return picture, {label: mask > 0}

    return drawn


def _glass(params: Any, index: int) -> tuple[np.ndarray, dict[str, Mask]]:
    picture, classes = panes.draw(params, index)
    return picture, {"thing": classes == panes.THING, "stuff": classes == panes.STUFF}


def _flare(params: Any, index: int) -> tuple[np.ndarray, dict[str, Mask]]:
    picture, _, classes = flares.draw(params, index)
    names = {"glare": flares.GLARE, "streak": flares.STREAK, "light source": flares.SOURCE}
    return picture, {name: classes == value for name, value in names.items()}


def _hidden(params: Any, index: int) -> tuple[np.ndarray, dict[str, Mask]]:
    picture, instances, _ = camouflage.draw(params, index)
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in camouflage.COLOURS[1:].tolist()]
    return picture, {colour: instances == value for value, colour in enumerate(colours, 1)}


ALL = {"min_area": 0}
WORLDS = [
    World(hard_shadows, "sbu", _one(hard_shadows, "shadow"), ALL),
    World(soft_shadows, "istd", _one(soft_shadows, "shadow"), ALL),
    World(camouflage, "cod10k", _hidden, ALL),
    World(panes, "trans10k", _one(panes, "transparent"), ALL),
    World(panes, "trans10k", _glass, {**ALL, "by_class": True}),
    World(flares, "flare7k", _flare, ALL),
    World(thin_structures, "coift", _one(thin_structures, "object"), {}),
    World(fine_boundaries, "big", _one(fine_boundaries, "object"), ALL),
]
PICTURES = [hard_shadows, soft_shadows, camouflage, panes, flares, thin_structures, fine_boundaries]
MODULES = [*PICTURES, organs, everything]


def _name(value: Any) -> str | None:
    return getattr(value, "WORLD", None) or (value.module.WORLD if isinstance(value, World) else None)


def _params(module: Any, **more: Any) -> Any:
    return module.Params(**{"count": 2, **SMALL, **more})


def _raw(module: Any, root: Path, **more: Any) -> Path:
    acquire.generate(module.WORLD, {"count": 2, **SMALL, **more}, root / module.WORLD)
    return root / module.WORLD


def _files(root: Path) -> dict[str, bytes]:
    """Every file of the set except its lists of files."""
    lists = ("inventory.json", "dataset.json")
    paths = [p for p in root.rglob("*") if p.is_file() and p.name not in lists]
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in paths}


def _index(image: RawImage) -> int:
    """Of a scene of ISTD with one view its number; of COD10K the last number of the name."""
    numbers = re.findall(r"\d+", image.path.stem)
    return int(numbers[-1 if "COD10K" in image.name else 0]) - 1


def _by_label(image: RawImage) -> dict[str, Mask]:
    """The parts of each label joined again."""
    found: dict[str, Mask] = {}
    for name, mask in image.read_labels().masks:
        label = name.split("/")[0]
        found[label] = found.get(label, np.zeros_like(mask)) | mask
    return found


@pytest.mark.parametrize("world", WORLDS, ids=_name)
def test_the_adapter_reads_what_the_world_drew(world: World, tmp_path: Path) -> None:
    images = read_raw(world.adapter, _raw(world.module, tmp_path), world.options).images
    assert sorted(map(_index, images)) == [0, 1]
    for image in images:
        picture, drawn = world.drawn(_params(world.module), _index(image))
        read = _by_label(image)
        assert set(read) == {label for label, mask in drawn.items() if mask.any()}
        assert all((read[label] == drawn[label]).all() for label in read)
        assert np.abs(image.photo().pixels.astype(int) - picture).mean() < 8


@pytest.mark.parametrize("world", WORLDS, ids=_name)
def test_every_mask_is_a_task_for_a_model(world: World, tmp_path: Path) -> None:
    options = world.options if world.adapter == "coift" else {**world.options, "min_area": 50}
    for image in read_raw(world.adapter, _raw(world.module, tmp_path, count=4), options).images:
        labels = image.read_labels()
        assert labels.masks and max(labels.shape) == SMALL["size"]
        assert [fault(mask) for _, mask in labels.masks] == [None] * len(labels.masks)


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_larger_set_begins_with_the_smaller_one(module: Any, tmp_path: Path) -> None:
    few, more = (_files(_raw(module, tmp_path / str(count), count=count)) for count in (2, 3))
    assert 3 * len(few) == 2 * len(more)
    assert few.items() < more.items()


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_another_seed_gives_another_set(module: Any, tmp_path: Path) -> None:
    first, second = (_files(_raw(module, tmp_path / str(seed), seed=seed)) for seed in (3, 4))
    assert len(first) == len(second) and not set(first.values()) & set(second.values())


@pytest.mark.parametrize("module", PICTURES, ids=_name)
def test_the_smallest_pictures_can_be_drawn(module: Any) -> None:
    for index in range(4):
        assert module.draw(module.Params(size=64), index)[1].any()


def test_hard_shadows_have_fewer_half_lit_pixels_than_soft_ones() -> None:
    occluder = shapes.sprawling(numpy_generator(1), 200, 200, (0.1, 0.2))
    soft, hard = (scenery.penumbra(numpy_generator(2), occluder, softest=s) for s in ((3.0, 9.0), (0.7, 1.4)))
    assert ((hard > 0.1) & (hard < 0.9)).sum() < 0.5 * ((soft > 0.1) & (soft < 0.9)).sum()


def test_a_shadow_is_darker_than_the_ground_beside_it() -> None:
    for index in range(3):
        picture, mask = hard_shadows.draw(_params(hard_shadows), index)
        grown = [cv2.dilate(m.astype(np.uint8), np.ones((5, 5))) > 0 for m in (mask, ~mask)]
        assert np.median(picture[grown[1] & mask]) < np.median(picture[grown[0] & ~mask])


def test_a_flare_adds_light_where_its_mask_is() -> None:
    for index in range(4):
        dazzled, clean, classes = flares.draw(_params(flares), index)
        gain = dazzled.astype(int).mean(axis=-1) - clean.astype(int).mean(axis=-1)
        assert gain[classes == flares.GLARE].mean() > gain[classes == 0].mean() + 10
        assert dazzled[classes == flares.SOURCE].mean() > 230


def test_hair_leaves_and_torn_edges_are_much_longer_than_a_smooth_outline() -> None:
    for index in range(3):
        _, mask = fine_boundaries.draw(fine_boundaries.Params(size=600), index)
        smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 12) > 0.5
        assert _length(mask) > 1.7 * _length(smooth)


def _length(mask: Mask) -> float:
    outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return sum(cv2.arcLength(outline, True) for outline in outlines)


def test_thin_things_vanish_when_they_are_eroded_by_a_fiftieth_of_the_picture() -> None:
    params = thin_structures.Params(size=320, seed=5)
    masks = [thin_structures.draw(params, index)[1] for index in range(6)]
    left = [cv2.erode(mask.astype(np.uint8), np.ones((13, 13))).sum() / mask.sum() for mask in masks]
    assert np.median(left) < 0.25


# --- volumes


def test_every_volume_comes_back_as_six_slices_of_one_patient(tmp_path: Path) -> None:
    images = read_raw("msd", _raw(organs, tmp_path), {}).images
    assert len(images) == 2 * organs.SHOWN and len({image.group for image in images}) == 2
    for image in images:
        [(label, mask)] = image.read_labels().masks
        assert label == "spleen" and fault(mask) is None


def test_a_slice_is_turned_so_that_what_was_drawn_as_seen_is_seen(tmp_path: Path) -> None:
    images = read_raw("msd", _raw(organs, tmp_path), {}).images
    for patient in range(2):
        drawn = organs.draw(_params(organs), patient)[1]
        read = [i.read_labels().masks[0][1] for i in images if _index(i) == patient]
        assert all((mask == drawn[:, :, 2 + k].T).all() for k, mask in enumerate(read))


def test_volumes_are_hounsfield_units_in_space(tmp_path: Path) -> None:
    root = _raw(organs, tmp_path)
    task = json.loads((root / "dataset.json").read_text())
    assert task["numTraining"] == len(task["training"]) == 2 and task["labels"]["1"] == "spleen"
    for case in task["training"]:
        image, label = nibabel.load(root / case["image"]), nibabel.load(root / case["label"])
        assert image.get_data_dtype() == np.int16 and image.shape == label.shape == (128, 128, organs.SLICES)
        assert (image.affine == label.affine).all() and (np.diag(image.affine)[:2] < 0).all()
        voxels, spleen = np.asarray(image.dataobj), np.asarray(label.dataobj) == 1
        assert voxels.min() < -900 and 0 < voxels[spleen].mean() < 120
        assert np.asarray(label.dataobj).any(axis=(0, 1)).sum() == organs.SHOWN


# --- SA-1B


def test_every_json_holds_the_masks_that_were_drawn(tmp_path: Path) -> None:
    root = _raw(everything, tmp_path)
    for index in range(2):
        published = json.loads((root / "sa_000000" / f"sa_{index + 1}.json").read_text())
        picture, masks = everything.draw(_params(everything), index)
        height, width = picture.shape[:2]
        name = f"sa_{index + 1}.jpg"
        assert published["image"] == {"image_id": index + 1, "width": width, "height": height, "file_name": name}
        assert (root / "sa_000000" / name).is_file()
        decoded = [masktools.decode(a["segmentation"]) > 0 for a in published["annotations"]]
        assert len(decoded) == len(masks) >= 3
        assert all((read == mask).all() for read, mask in zip(decoded, masks, strict=True))


def test_what_is_said_of_a_mask_agrees_with_it(tmp_path: Path) -> None:
    for path in _raw(everything, tmp_path).rglob("sa_*.json"):
        found = json.loads(path.read_text())["annotations"]
        assert len({a["id"] for a in found}) == len(found)
        for a in found:
            mask = masktools.decode(a["segmentation"])
            [[x, y]] = a["point_coords"]
            assert a["area"] == mask.sum() and mask[int(y), int(x)]
            assert a["bbox"] == masktools.toBbox(a["segmentation"]).tolist()
            assert 0 <= a["predicted_iou"] <= 1 and 0 <= a["stability_score"] <= 1
