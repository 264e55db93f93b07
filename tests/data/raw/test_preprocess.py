"""Raw set to benchmark: the round trip is exact, numbers are stable, and what cannot be used is listed."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from raw_sets import save
from spoiling import contents

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json
from uncertsam.data.format import read_split, splits_of
from uncertsam.data.raw.preprocess import preprocess
from uncertsam.data.splits import Reserved

TEST = {"test": 1.0}
HALVES = {"fit": 0.5, "test": 0.5}


def texture(seed: int, height: int = 40, width: int = 50) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def codes(seed: int) -> np.ndarray:
    """Two masks, one of 100 pixels and one of 10 to 19."""
    mask = np.zeros((40, 50), np.uint8)
    mask[5:15, 5:15], mask[30, : 10 + seed % 10] = 1, 2
    return mask


def stock(raw: Path, root: Path | None = None, synthetic: bool = False) -> Path:
    """Write the inventory of the files below `root`, or of those beside it."""
    base = root or raw
    files = {p.relative_to(base).as_posix(): sha256(p) for p in sorted(base.rglob("*.*")) if p.name != "inventory.json"}
    write_json(raw / "inventory.json", {"root": str(root) if root else ".", "synthetic": synthetic, "files": files})
    return raw


def raw_folder(root: Path, n: int = 12) -> Path:
    for i in range(n):
        name = chr(ord("a") + i) * 3
        save(root / "images" / f"{name}.{'jpg' if i % 2 else 'png'}", texture(i))
        save(root / "masks" / f"{name}.png", codes(i))
    return stock(root)


def run(raw: Path, out: Path, fractions: dict[str, float] = TEST, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"options": {}, "reserved": Reserved(), "near": 3, "adapter": "folder", "salt": "s"}
    counts: dict[str, Any] = preprocess(raw, out, "toy", fractions=fractions, progress=False, **given | changes)
    return counts


def skipped(out: Path) -> dict[str, str]:
    return {s["file"]: s["reason"] for s in read_split(out / "test").info["skipped"]}


def test_masks_survive_the_round_trip_exactly(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw")
    run(raw, tmp_path / "out")
    split = read_split(tmp_path / "out" / "test")
    assert [r.id for r in split] == list(range(1, 13))
    assert [a.id for r in split for a in split.annotations[r.id]] == list(range(1, 25))
    for i, record in enumerate(split):
        assert [a.label for a in split.annotations[record.id]] == ["1", "2"]
        assert np.array_equal(split.masks(record.id), np.stack([codes(i) == 1, codes(i) == 2]))
        assert [a.area for a in split.annotations[record.id]] == [100, 10 + i % 10]
        assert (record.height, record.width) == split.pixels(record.id).shape[:2] == (40, 50)
        assert record.sha256 == sha256(raw / record.source)


def test_jpegs_are_copied_byte_for_byte_and_the_rest_is_saved_closely(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw")
    run(raw, tmp_path / "out")
    split = read_split(tmp_path / "out" / "test")
    for i, record in enumerate(split):
        written = split.root / "images" / record.file_name
        if record.source.endswith(".jpg"):
            assert written.read_bytes() == (raw / record.source).read_bytes()
        else:
            assert np.abs(split.pixels(record.id).astype(int) - texture(i)).mean() < 2
    assert "6 JPEGs copied byte for byte, 6 saved anew (quality 95, 4:4:4)." in split.info["choices"]


def test_the_splits_divide_the_set_and_keep_its_numbers(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw", 24)
    run(raw, tmp_path / "whole")
    counts = run(raw, tmp_path / "parts", HALVES)["splits"]
    whole = read_split(tmp_path / "whole" / "test")
    parts = [read_split(tmp_path / "parts" / name) for name in splits_of(tmp_path / "parts")]
    assert len(parts) == 2 and sum(c["images"] for c in counts.values()) == 24
    assert sorted((r for part in parts for r in part), key=lambda r: r.id) == list(whole)
    assert {i: a for part in parts for i, a in part.annotations.items()} == whole.annotations


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw")
    for name in ("one", "two", "one"):
        run(raw, tmp_path / name, HALVES)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "raw", "two"]


def test_the_inventory_may_point_to_another_place(tmp_path: Path) -> None:
    photos = raw_folder(tmp_path / "photos")
    (tmp_path / "raw").mkdir()
    run(stock(tmp_path / "raw", photos), tmp_path / "away")
    run(photos, tmp_path / "beside")
    assert contents(tmp_path / "away") == contents(tmp_path / "beside")


def test_copies_and_scenes_share_a_group_and_a_split(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw", 20)
    shutil.copyfile(raw / "images" / "bbb.jpg", raw / "images" / "zcopy.jpg")
    shutil.copyfile(raw / "masks" / "bbb.png", raw / "masks" / "zcopy.png")
    for i in (1, 2):
        save(raw / "images" / f"dog_{i}.jpg", texture(100 + i))
        save(raw / "masks" / f"dog_{i}.png", codes(i))
    assert run(stock(raw), tmp_path / "out", HALVES)["groups"] == 21
    where = {
        record.source: (record.group, name)
        for name in splits_of(tmp_path / "out")
        for record in read_split(tmp_path / "out" / name)
    }
    assert where["images/bbb.jpg"] == where["images/zcopy.jpg"]
    assert where["images/dog_1.jpg"] == where["images/dog_2.jpg"]
    assert len(where) == 23


def test_an_image_that_was_trained_on_is_in_pretrain_and_nowhere_else(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw")
    known = sha256(raw / "images" / "bbb.jpg")
    run(raw, tmp_path / "out", reserved=Reserved({known: "pretrain"}))
    assert [r.sha256 for r in read_split(tmp_path / "out" / "pretrain")] == [known]
    assert known not in [r.sha256 for r in read_split(tmp_path / "out" / "test")]


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw", 3)
    extra = {"empty": codes(0) * 0, "tiny": codes(0) * 0, "larger": np.ones((41, 50), np.uint8), "mixed": codes(0)}
    extra["full"] = np.ones((40, 50), np.uint8)
    extra["tiny"][0, :7] = 1
    extra["mixed"][39, :3] = 3
    for name, mask in extra.items():
        save(raw / "images" / f"{name}.jpg", texture(ord(name[0])))
        save(raw / "masks" / f"{name}.png", mask)
    save(raw / "images" / "lonely.jpg", texture(77))
    save(raw / "images" / "broken.jpg", texture(78))
    (raw / "images" / "broken.jpg").write_bytes((raw / "images" / "broken.jpg").read_bytes()[:300])
    save(raw / "masks" / "broken.png", codes(0))
    save(raw / "images" / "nomask.jpg", texture(79))
    (raw / "masks" / "nomask.png").write_bytes(b"nothing")
    assert run(stock(raw), tmp_path / "out")["splits"] == {"test": {"images": 4, "masks": 8}}
    reasons = skipped(tmp_path / "out")
    wanted = {
        "empty": "there is none",
        "tiny": "fewer than 8 pixels (7)",
        "full": "covers every pixel",
        "larger": "the mask is 50x41 pixels large, the image 50x40",
        "mixed": "3: the mask has fewer than 8 pixels (3)",
        "lonely": "no mask of the same name",
        "broken": "broken.jpg cannot be read",
        "nomask": "nomask.png cannot be read",
    }
    assert set(reasons) == {f"images/{name}.jpg" for name in wanted}
    assert all(reason in reasons[f"images/{name}.jpg"] for name, reason in wanted.items())
    assert str(tmp_path) not in json.dumps(reasons)


def test_void_pixels_and_quality_arrive(tmp_path: Path) -> None:
    raw = raw_folder(tmp_path / "raw")
    run(raw, tmp_path / "out", options={"ignore": [2], "quality": "human", "licence": "CC0"})
    split = read_split(tmp_path / "out" / "test")
    assert np.array_equal(split.ignored(1), codes(0) == 2)
    assert {r.quality for r in split} == {"human"} and split.info["licence"] == "CC0"


def test_a_synthetic_set_says_so_everywhere(tmp_path: Path) -> None:
    for name in ("1-1", "2-1"):
        save(tmp_path / "raw" / "test" / "test_A" / f"{name}.png", texture(ord(name[0])))
        save(tmp_path / "raw" / "test" / "test_B" / f"{name}.png", (codes(0) > 0).astype(np.uint8) * np.uint8(255))
    run(stock(tmp_path / "raw", synthetic=True), tmp_path / "out", adapter="istd", options={"min_area": 50})
    split = read_split(tmp_path / "out" / "test")
    assert split.info["synthetic"] is True and split.info["licence"] == "generated by this project"
    assert {r.quality for r in split} == {"synthetic"}
    assert split.info["skipped"][0]["reason"].startswith("shadow: its components of at most 50 pixels")


@pytest.mark.parametrize("spoil", ["lost", "changed", "new"])
def test_files_that_do_not_fit_the_inventory_are_refused(tmp_path: Path, spoil: str) -> None:
    raw = raw_folder(tmp_path / "raw")
    if spoil == "lost":
        (raw / "masks" / "bbb.png").unlink()
    elif spoil == "changed":
        save(raw / "masks" / "bbb.png", codes(5))
    else:
        save(raw / "images" / "new.jpg", texture(50))
        save(raw / "masks" / "new.png", codes(5))
    with pytest.raises(UserError, match="acquire"):
        run(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()
