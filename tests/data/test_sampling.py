"""A recorded sample: the same for everyone who has the same images, within its splits, and nothing is altered."""

import csv
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, ImageRecord, Split, encode_rle, read_split, splits_of, write_split
from uncertsam.data.sampling import chosen, draw
from uncertsam.data.splits import check_unseen

MASKS = 5  # of every image


def digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def write(root: Path, names: list[str], first: int = 1, known: bool = True) -> None:
    """A split whose images are told apart by their names; ids from `first`, in the order of the names."""
    records, annotations = [], []
    (root / "images").mkdir(parents=True)
    for number, name in enumerate(names, first):
        record = ImageRecord(number, 12, 10, f"raw/{name}.jpg", digest(name) if known else "", name, "model")
        colour = tuple(int(v) for v in bytes.fromhex(digest(name))[:3])
        Image.new("RGB", (12, 10), colour).save(root / "images" / record.file_name)
        records.append(record)
        for k in range(MASKS):
            mask = np.zeros((10, 12), bool)
            mask[: k + 1, 3:9] = True
            annotations.append(Annotation(MASKS * number + k, number, int(mask.sum()), encode_rle(mask), f"mask/{k}"))
    write_split(root, {"dataset": "all", "licence": "free", "choices": ["Whole."]}, records, annotations)


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    write(tmp_path / "all" / "fit", [f"f{i}" for i in range(12)])
    write(tmp_path / "all" / "test", [f"t{i}" for i in range(8)], first=101)
    return tmp_path / "all"


def sample(benchmark: Path, to: Path, images: dict[str, int], masks: int | None = None, seed: int = 0) -> dict:
    return draw(benchmark, to, to.parent / f"{to.name}.csv", to.name, images, masks, seed)


def names(split: Split) -> set[str]:
    return {record.source for record in split}


def test_the_sample_has_what_was_asked_for_and_the_list_says_what_it_has(benchmark: Path, tmp_path: Path) -> None:
    counts = sample(benchmark, tmp_path / "some", {"fit": 5, "test": 3}, masks=2)
    assert counts == {"fit": {"images": 5, "masks": 10}, "test": {"images": 3, "masks": 6}}
    rows = list(csv.DictReader((tmp_path / "some.csv").read_text().splitlines()))
    found = [
        {"split": s, "image_id": str(r.id), "sha256": r.sha256, "masks": "2", "source": r.source}
        for s in ("fit", "test")
        for r in read_split(tmp_path / "some" / s)
    ]
    assert rows == found and len(rows) == 8


def test_everything_drawn_is_the_original_unaltered(benchmark: Path, tmp_path: Path) -> None:
    sample(benchmark, tmp_path / "some", {"fit": 12})
    old, new = read_split(benchmark / "fit"), read_split(tmp_path / "some" / "fit")
    assert new.images == old.images and new.annotations == old.annotations
    for record in old:
        image = Path("images", record.file_name)
        assert (new.root / image).read_bytes() == (old.root / image).read_bytes()
    assert new.info["licence"] == "free" and new.info["dataset"] == "some"
    assert new.info["choices"] == ["Whole.", "A sample: 12 images, drawn by hash (seed 0)."]


def test_splits_stay_apart_and_those_not_named_are_left_out(benchmark: Path, tmp_path: Path) -> None:
    sample(benchmark, tmp_path / "both", {"fit": 6, "test": 4})
    for split in ("fit", "test"):
        assert names(read_split(tmp_path / "both" / split)) < names(read_split(benchmark / split))
    check_unseen({"both": read_split(tmp_path / "both" / "test")}, tmp_path / "both" / "fit")
    sample(benchmark, tmp_path / "one", {"fit": 6})
    assert splits_of(tmp_path / "one") == ["fit"]
    assert names(read_split(tmp_path / "one" / "fit")) == names(read_split(tmp_path / "both" / "fit"))


def test_neither_order_nor_numbers_matter(benchmark: Path, tmp_path: Path) -> None:
    write(tmp_path / "turned" / "fit", [f"f{i}" for i in reversed(range(12))], first=500)
    for seed in range(4):
        drawn = []
        for source in ("all", "turned"):
            out = tmp_path / f"{source}{seed}"
            sample(tmp_path / source, out, {"fit": 4}, masks=2, seed=seed)
            split = read_split(out / "fit")
            drawn.append({(r.source, a.label) for r in split for a in split.annotations[r.id]})
        assert drawn[0] == drawn[1]


def test_another_seed_is_another_sample(benchmark: Path, tmp_path: Path) -> None:
    drawn = []
    for seed in range(4):
        sample(benchmark, tmp_path / str(seed), {"fit": 4}, seed=seed)
        drawn.append(frozenset(names(read_split(tmp_path / str(seed) / "fit"))))
    assert len(set(drawn)) > 1


SETS = st.sets(st.integers(0, 30), max_size=12)


@settings(max_examples=40)
@given(SETS.filter(len), SETS, st.integers(1, 9), st.integers(0, 99))
def test_more_images_only_push_others_out(old: set[int], more: set[int], number: int, seed: int) -> None:
    """chosen(A + B) has nothing of A that chosen(A) has not; and a larger sample holds the smaller one."""
    few = {i: digest(str(name)) for i, name in enumerate(sorted(old))}
    many = {-i: digest(str(name)) for i, name in enumerate(sorted(old | more), 1)}
    before = {few[i] for i in chosen(few, number, seed)}
    after = {many[i] for i in chosen(many, number, seed)}
    assert after & set(few.values()) <= before
    assert before <= {few[i] for i in chosen(few, number + 1, seed)}
    assert len(before) == min(number, len(old))


def test_every_image_is_as_likely_as_any_other() -> None:
    keys = {i: digest(str(i)) for i in range(20)}
    counts = np.zeros(20)
    for seed in range(400):
        counts[chosen(keys, 5, seed)] += 1
    assert abs(counts - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)  # five standard deviations


def test_a_published_set_without_hashes_is_known_by_its_files(tmp_path: Path) -> None:
    write(tmp_path / "all" / "test", [f"t{i}" for i in range(6)], known=False)
    sample(tmp_path / "all", tmp_path / "some", {"test": 3})
    split = read_split(tmp_path / "some" / "test")
    assert all(r.sha256 == sha256((split.root / "images" / r.file_name).read_bytes()).hexdigest() for r in split)


def test_images_without_masks_are_not_drawn(benchmark: Path, tmp_path: Path) -> None:
    split = read_split(benchmark / "fit")
    kept = [a for i in list(split.images)[:4] for a in split.annotations[i]]
    write_split(benchmark / "fit", split.info, [replace(r, group="") for r in split], kept)
    sample(benchmark, tmp_path / "some", {"fit": 4})
    assert set(read_split(tmp_path / "some" / "fit").images) == set(list(split.images)[:4])
    with pytest.raises(UserError, match="has 4 images with masks, not 5"):
        sample(benchmark, tmp_path / "more", {"fit": 5})


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [({"val": 1}, None, r"'val'.*has fit, test"), ({}, None, "no split"), ({"fit": 13}, None, "not 13"),
     ({"fit": 0}, None, "at least 1"), ({"fit": 1}, 0, "at least 1")],
)  # fmt: skip
def test_a_wrong_wish_is_refused_and_nothing_is_written(
    benchmark: Path, tmp_path: Path, images: dict[str, int], masks: int | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        sample(benchmark, tmp_path / "some", images, masks)
    assert [p.name for p in tmp_path.iterdir()] == ["all"]


def test_the_set_to_draw_from_is_never_replaced(benchmark: Path) -> None:
    with pytest.raises(UserError, match="the set to draw from"):
        sample(benchmark, benchmark, {"fit": 3})
    assert len(read_split(benchmark / "fit")) == 12
