"""SA-1B's layout in small: what is read, what is left out and why, and that a sample of it is the same for everyone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as masktools
from raw_sets import benchmark, photo, save

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import Reading, read_raw
from uncertsam.data.raw.images import Unusable

HEIGHT, WIDTH = 30, 40
SIDES = (4, 6, 8, 10)  # of the squares in every image


def square(side: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2 : 2 + side, 20 : 20 + side] = 1
    return mask


def entry(number: int, side: int, **more: Any) -> dict[str, Any]:
    rle: Any = masktools.encode(np.asfortranarray(square(side)))
    text = {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()}
    facts = {"id": number, "area": side * side, "bbox": [20, 2, side, side], "segmentation": text}
    return {**facts, "predicted_iou": 0.9, "stability_score": 0.95, "crop_box": [0, 0, WIDTH, HEIGHT], **more}


def add(root: Path, name: str, entries: list[dict[str, Any]], **image: Any) -> None:
    path = root / f"{name}.jpg"
    seed = int(path.stem.split("_")[1])
    save(path, photo(seed, HEIGHT, WIDTH))
    facts = {"image_id": seed, "file_name": path.name, "height": HEIGHT, "width": WIDTH, **image}
    path.with_suffix(".json").write_text(json.dumps({"image": facts, "annotations": entries}))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    root = tmp_path / "SA-1B"
    for number in range(1, 4):
        add(root / "sa_000000", f"sa_{number}", [entry(10 * number + i, side) for i, side in enumerate(SIDES)])
    add(root, "sa_99", [entry(990, 5)])
    return root


def read(root: Path, **options: Any) -> Reading:
    return read_raw("sa1b", root, options)


def areas(reading: Reading, at: int = 0) -> list[int]:
    return [int(mask.sum()) for _, mask in reading.images[at].read_labels().masks]


def test_shards_in_subfolders_and_single_files_are_read_with_every_mask(raw: Path) -> None:
    reading = read(raw)
    assert [i.name for i in reading.images] == [*(f"sa_000000/sa_{n}.jpg" for n in (1, 2, 3)), "sa_99.jpg"]
    labels = reading.images[0].read_labels()
    assert [label for label, _ in labels.masks] == ["mask/10", "mask/11", "mask/12", "mask/13"]
    assert all((mask == square(side).astype(bool)).all() for (_, mask), side in zip(labels.masks, SIDES, strict=True))
    assert {i.quality for i in reading.images} == {"model"}
    assert len({i.group for i in reading.images}) == 4


def test_masks_below_the_limits_are_counted_not_hidden(raw: Path) -> None:
    assert areas(read(raw, min_area=36)) == [36, 64, 100]
    assert read(raw, min_area=36).images[0].read_labels().skipped == ["1 mask below the options' limits"]
    add(raw, "sa_5", [entry(1, 4, predicted_iou=0.5), entry(2, 6, stability_score=0.5), entry(3, 8)])
    strict = read(raw, min_predicted_iou=0.8, min_stability=0.8)
    assert areas(strict, [i.name for i in strict.images].index("sa_5.jpg")) == [64]


def test_at_most_so_many_masks_chosen_by_hash_whatever_their_order(raw: Path) -> None:
    chosen = [areas(read(raw, max_masks=2, seed=s)) for s in range(8)]
    assert all(len(c) == 2 for c in chosen) and len({tuple(c) for c in chosen}) > 1
    sheet = raw / "sa_000000" / "sa_1.json"
    value = json.loads(sheet.read_text())
    sheet.write_text(json.dumps({**value, "annotations": value["annotations"][::-1]}))
    assert [areas(read(raw, max_masks=2, seed=s)) for s in range(8)] == chosen


def test_an_image_without_a_sheet_is_listed_and_a_folder_without_any_is_refused(raw: Path, tmp_path: Path) -> None:
    (raw / "sa_99.json").unlink()
    assert [(s.file, s.reason) for s in read(raw).skipped] == [("sa_99.jpg", "it has no sa_99.json beside it")]
    with pytest.raises(UserError, match=r"no sa_\*\.jpg"):
        read(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["{", "[]", '{"image": {}, "annotations": []}'])
def test_a_broken_sheet_costs_its_image_alone(raw: Path, text: str) -> None:
    (raw / "sa_99.json").write_text(text)
    with pytest.raises(Unusable, match=r"sa_99\.json"):
        read(raw).images[3].read_labels()
    assert len(areas(read(raw))) == 4


def test_a_sheet_of_another_image_is_refused(raw: Path) -> None:
    add(raw, "sa_99", [entry(1, 5)], file_name="sa_98.jpg")
    with pytest.raises(Unusable, match=r"is about sa_98\.jpg"):
        read(raw).images[3].read_labels()


def test_a_broken_mask_costs_itself_alone(raw: Path) -> None:
    broken = {"size": [HEIGHT, WIDTH], "counts": "11"}
    add(raw, "sa_99", [entry(1, 5), entry(2, 6, segmentation=broken), entry(3, 7, segmentation=None)])
    labels = read(raw).images[3].read_labels()
    assert [label for label, _ in labels.masks] == ["mask/1"] and len(labels.skipped) == 2


def test_masks_survive_the_way_into_the_benchmark_and_out_of_it_again(raw: Path) -> None:
    """Round trip: SA-1B -> benchmark -> read as a raw set by the adapter `benchmark` -> benchmark."""
    first = benchmark(raw, "sa1b")
    second = benchmark(first.root.parent, "benchmark", splits=["test"])
    assert [second.masks(i).tolist() for i in second.images] == [first.masks(i).tolist() for i in first.images]
    assert all((first.pixels(i) == second.pixels(i)).all() for i in first.images)
    assert first.info["licence"] == second.info["licence"] == "SA-1B V1.0 (Table 2 of the paper)"
    assert {i.quality for i in second} == {"model"}
    assert [a.label for i in second.images for a in second.annotations[i]][:2] == ["mask/10", "mask/11"]
