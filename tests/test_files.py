"""Nothing is half-written, and random numbers belong to places."""

import pytest

from uncertsam.files import sha256, write_json, written_aside
from uncertsam.rng import derive_seed, numpy_generator, torch_generator


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), written_aside(target) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "out"
    for name in ("first", "second"):
        with written_aside(target) as aside:
            aside.mkdir()
            (aside / name).touch()
    assert [p.name for p in target.iterdir()] == ["second"]


def test_nan_is_refused_in_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_the_hash_is_the_files(tmp_path):
    (tmp_path / "empty").touch()
    assert sha256(tmp_path / "empty").startswith("e3b0c44298fc1c14")


def test_generators_depend_on_the_names_and_on_nothing_else():
    assert derive_seed(0, "a", 1) == derive_seed(0, "a", 1) != derive_seed(0, "a", 2)
    assert derive_seed(0, "a", "b") != derive_seed(0, "ab")
    assert numpy_generator(1, "x").random() == numpy_generator(1, "x").random()
    assert torch_generator(1, "x").initial_seed() == derive_seed(1, "x")
