"""The split contract as theorems: groups stay whole, order does not matter, what was trained on is reserved."""

import hashlib
import io
import itertools
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.data.splits import (
    SPLITS,
    Fingerprint,
    Reserved,
    assign,
    dhash,
    group_images,
    near_pairs,
    read_reserved,
    reserved_splits,
    telling,
)

THIRDS = {"fit": 0.25, "calibrate": 0.25, "test": 0.5}


def sha(i: int) -> str:
    return hashlib.sha256(str(i).encode()).hexdigest()


def texture(seed: int, size: int = 64) -> np.ndarray:
    """Smooth random colours."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))


def flipped(value: int, bits: int, seed: int) -> int:
    for bit in random.Random(seed).sample(range(64), bits):
        value ^= 1 << bit
    return value


fingerprints = st.lists(
    st.builds(
        Fingerprint,
        st.integers(0, 30).map(sha),
        st.integers(0, 7).map(lambda i: flipped(0x123456789ABCDEF0, i, i)),
        st.sampled_from(["", "", "", "a", "b"]),
    ),
    max_size=25,
)


def linked(a: Fingerprint, b: Fingerprint, near: int) -> bool:
    close = (
        (a.dhash ^ b.dhash).bit_count() <= near and 8 <= a.dhash.bit_count() <= 56 and 8 <= b.dhash.bit_count() <= 56
    )
    return bool(close or a.sha256 == b.sha256 or a.hint == b.hint != "")


@given(fingerprints, st.integers(0, 6))
@settings(max_examples=40, deadline=None)
def test_groups_are_the_components_of_the_three_relations(images: list[Fingerprint], near: int) -> None:
    groups = group_images(images, near)
    parent = {i: i for i in range(len(images))}
    for _ in images:  # enough rounds of relabelling to reach everything that is linked
        for i, j in itertools.combinations(range(len(images)), 2):
            if linked(images[i], images[j], near):
                parent[i] = parent[j] = min(parent[i], parent[j])
    wanted = {
        images[i].sha256: min(images[j].sha256 for j in parent if parent[j] == parent[i]) for i in range(len(images))
    }
    assert groups == wanted


@given(fingerprints, st.randoms())
@settings(max_examples=40, deadline=None)
def test_splits_do_not_depend_on_file_order(images: list[Fingerprint], rng: random.Random) -> None:
    shuffled = list(images)
    rng.shuffle(shuffled)
    assert group_images(images, 3) == group_images(shuffled, 3)
    assert assign(group_images(images, 3), THIRDS, "s", {}) == assign(group_images(shuffled, 3), THIRDS, "s", {})


@given(st.integers(0, 2**32), st.integers(0, 8))
@settings(max_examples=25, deadline=None)
def test_near_pairs_equal_brute_force(seed: int, near: int) -> None:
    rng = random.Random(seed)
    hashes = [rng.getrandbits(64) for _ in range(12)] + [0, 1, 2**64 - 1]
    hashes += [flipped(hashes[rng.randrange(12)], rng.randrange(9), rng.randrange(99)) for _ in range(12)]
    tells = telling(np.array(hashes, np.uint64))
    wanted = {
        (i, j)
        for i, j in itertools.combinations(range(len(hashes)), 2)
        if tells[i] and tells[j] and (hashes[i] ^ hashes[j]).bit_count() <= near
    }
    assert set(map(tuple, near_pairs(np.array(hashes, np.uint64), near).tolist())) == wanted


def test_dhash_reads_its_bits_from_left_to_right() -> None:
    rising = np.repeat(np.linspace(0, 255, 90).astype(np.uint8)[None, :, None], 80, 0).repeat(3, 2)
    assert dhash(rising) == 2**64 - 1
    assert dhash(np.ascontiguousarray(rising[:, ::-1])) == 0
    half = rising.copy()
    half[40:] = 128
    assert dhash(half) == 2**64 - 2**32


@pytest.mark.parametrize("seed", range(5))
def test_dhash_survives_jpeg_scale_and_brightness_but_tells_pictures_apart(seed: int) -> None:
    image = texture(seed)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=60)
    again = np.asarray(Image.open(stream))
    larger = np.asarray(Image.fromarray(image).resize((160, 160), Image.Resampling.BICUBIC))
    darker = (image * 0.8).astype(np.uint8)
    assert all((dhash(image) ^ dhash(other)).bit_count() <= 3 for other in (again, larger, darker))
    assert (dhash(image) ^ dhash(texture(seed + 100))).bit_count() > 10


def test_flat_pictures_and_gradients_are_no_near_duplicates() -> None:
    flat = [np.full((64, 64, 3), grey, np.uint8) for grey in range(0, 250, 10)]
    ramps = [np.broadcast_to(np.arange(64, dtype=np.uint8)[None, :, None] + k, (64, 64, 3)).copy() for k in range(9)]
    images = [Fingerprint(sha(i), dhash(picture)) for i, picture in enumerate(flat + ramps)]
    assert len(set(group_images(images, 3).values())) == len(images)


@pytest.mark.parametrize("near", [-1, 33])
def test_a_distance_that_makes_no_sense_is_refused(near: int) -> None:
    with pytest.raises(UserError, match="split.near"):
        group_images([], near)


def test_shares_follow_the_fractions() -> None:
    groups = {sha(i): sha(i) for i in range(4000)}
    counts = Counter(assign(groups, {"pretrain": 0.1, "fit": 0.2, "calibrate": 0.3, "test": 0.4}, "salt", {}).values())
    assert [counts[s] / 4000 for s in SPLITS] == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.03)  # about 4 sigma


@given(st.integers(10, 40), st.integers(0, 20), st.text(max_size=5))
def test_new_images_move_no_old_ones(n: int, new: int, salt: str) -> None:
    old = assign({sha(i): sha(i) for i in range(n)}, THIRDS, salt, {})
    assert old.items() <= assign({sha(i): sha(i) for i in range(n + new)}, THIRDS, salt, {}).items()


def test_a_growing_first_fraction_only_takes_from_the_others() -> None:
    groups = {sha(i): sha(i) for i in range(200)}
    few, more = (assign(groups, {"fit": f, "test": 1 - f}, "s", {}) for f in (0.2, 0.6))
    assert {k for k, v in few.items() if v == "fit"} < {k for k, v in more.items() if v == "fit"}


@given(fingerprints, st.sets(st.integers(0, 30)), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_no_group_is_divided_and_none_that_was_trained_on_is_tested(
    images: list[Fingerprint], trained: set[int], share: float
) -> None:
    groups = group_images(images, 3)
    reserved = {sha(i): "pretrain" for i in trained}
    splits = assign(groups, {"fit": share, "test": 1 - share}, "s", reserved)
    of_group: dict[str, set[str]] = {}
    for image, key in groups.items():
        of_group.setdefault(key, set()).add(splits[image])
    assert all(len(found) == 1 for found in of_group.values())
    tainted = {groups[image] for image in groups if image in reserved}
    assert all((splits[image] == "pretrain") == (groups[image] in tainted) for image in groups)


@pytest.mark.parametrize(("groups", "splits"), [(9, {"test"}), (10, {"fit"})])
def test_fewer_than_ten_groups_are_for_testing_only(groups: int, splits: set[str]) -> None:
    keys = {sha(i): sha(i % groups) for i in range(30)}
    assert set(assign(keys, {"fit": 1.0}, "s", {}).values()) == splits


def test_a_small_set_still_gives_way_to_reservation() -> None:
    keys = {sha(0): sha(0), sha(1): sha(0), sha(2): sha(2)}
    assert assign(keys, {"test": 1.0}, "s", {sha(1): "pretrain"}) == {
        sha(0): "pretrain",
        sha(1): "pretrain",
        sha(2): "test",
    }


def test_of_two_reservations_the_earlier_split_wins() -> None:
    keys = {sha(0): sha(0), sha(1): sha(0)}
    for one, two in (("pretrain", "fit"), ("fit", "pretrain")):
        assert set(assign(keys, {"test": 1.0}, "s", {sha(0): one, sha(1): two}).values()) == {"pretrain"}


@pytest.mark.parametrize(
    ("fractions", "reserved", "message"),
    [
        ({"fit": 0.5}, {}, "sum to 0.5"),
        ({}, {}, "sum to 0"),
        ({"fit": 1.5, "test": -0.5}, {}, "sum to"),
        ({"test": float("nan")}, {}, "sum to nan"),
        ({"train": 1.0}, {}, "no split 'train'"),
        ({"test": 1.0}, {sha(0): "val"}, "no split 'val'"),
    ],
)
def test_wrong_fractions_and_names_are_refused(
    fractions: dict[str, float], reserved: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        assign({sha(0): sha(0)}, fractions, "s", reserved)


def test_fractions_may_miss_one_by_rounding() -> None:
    groups = {sha(i): sha(i) for i in range(300)}
    assert set(assign(groups, {"fit": 0.3, "calibrate": 0.3, "test": 0.3999999}, "s", {}).values()) <= set(SPLITS)


def test_near_duplicates_of_pretraining_pictures_are_reserved() -> None:
    seen = dhash(texture(1))
    images = [Fingerprint(sha(i), flipped(seen, i, 0)) for i in range(6)] + [Fingerprint(sha(9), 0)]
    reserved = Reserved({sha(77): "fit"}, frozenset({seen, 0}))  # 0 is a flat picture's, which tells nothing
    assert reserved_splits(images, reserved, 3) == {sha(i): "pretrain" for i in range(4)} | {sha(77): "fit"}


def test_a_manifest_tells_what_is_reserved(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"pretrain_images": [sha(1)], "pretrain_dhashes": ["00000000000000ff"]}))
    assert read_reserved(path) == Reserved({sha(1): "pretrain"}, frozenset({255}))
    path.write_text("{}")
    assert read_reserved(path) == Reserved()


@pytest.mark.parametrize("text", [None, "[]", '{"pretrain_dhashes": ["xyz"]}', "{"])
def test_a_broken_manifest_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "manifest.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match="manifest"):
        read_reserved(path)
