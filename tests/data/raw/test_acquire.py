"""Acquire: what is in the inventory is what is on the disk, and bad input is refused with the key to mend."""

import os
from pathlib import Path

import pytest

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256
from uncertsam.data.raw import acquire
from uncertsam.data.raw.acquire import Inventory

SMALL = {"count": 1, "size": 96}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Somebody's data: two files, one in a sub-folder, and two hidden ones."""
    root = tmp_path / "mine"
    for name in ("a.txt", "deep/er/b.txt", ".hidden", ".git/config"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_a_generated_set_and_its_inventory_agree(tmp_path: Path) -> None:
    out = tmp_path / "raw" / "soft_shadows"
    acquire.generate("soft_shadows", SMALL, out)
    found = Inventory.read(out)
    assert found.root == "." and found.synthetic
    assert found.files == {p.relative_to(out).as_posix(): sha256(p) for p in _files(out) if p.name != "inventory.json"}
    assert set(found.files) == {f"test/test_{part}/1-1.png" for part in "ABC"}
    found.verify(out)


def test_generating_again_replaces_the_set_by_the_same(tmp_path: Path) -> None:
    acquire.generate("camouflage", SMALL, tmp_path / "set")
    before = (tmp_path / "set" / "inventory.json").read_bytes()
    (tmp_path / "set" / "stale.png").touch()
    acquire.generate("camouflage", SMALL, tmp_path / "set")
    assert (tmp_path / "set" / "inventory.json").read_bytes() == before
    assert not (tmp_path / "set" / "stale.png").exists()


def test_local_lists_what_is_not_hidden_and_leaves_it_where_it_is(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "inventories" / "mine"
    acquire.local(raw, out)
    found = Inventory.read(out)
    assert found.root == str(raw) and not found.synthetic
    assert found.files == {n: sha256(raw / n) for n in ("a.txt", "deep/er/b.txt")}
    assert [p.name for p in _files(out)] == ["inventory.json"]
    found.verify(out)


def test_a_relative_root_is_recorded_as_given(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    acquire.local(Path("mine"), tmp_path / "inventory")
    assert Inventory.read(tmp_path / "inventory").root == "mine"
    Inventory.read(tmp_path / "inventory").verify(tmp_path / "inventory")


def test_links_inside_are_followed_to_files_and_listed_once_for_folders(raw: Path, tmp_path: Path) -> None:
    (raw / "c.txt").symlink_to("a.txt")
    (raw / "again").symlink_to("deep")
    acquire.local(raw, tmp_path / "out")
    assert set(Inventory.read(tmp_path / "out").files) == {"a.txt", "c.txt", "deep/er/b.txt"}


@pytest.mark.parametrize("target", ["../elsewhere.txt", "..", "nowhere"])
def test_links_that_leave_the_root_or_lead_nowhere_are_refused(raw: Path, tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere.txt").write_text("secret")
    os.symlink(target, raw / "deep" / "link" if target == "nowhere" else raw / "link")
    with pytest.raises(UserError, match="link"):
        acquire.local(raw, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("root", ["missing", "a_file", "empty"])
def test_a_root_without_data_is_refused_by_its_key(tmp_path: Path, root: str) -> None:
    (tmp_path / "a_file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"data\.glass\.source"):
        acquire.local(tmp_path / root, tmp_path / "raw" / "glass")
    assert not (tmp_path / "raw").exists()


def test_a_root_that_holds_the_output_is_refused(raw: Path) -> None:
    with pytest.raises(UserError, match="holds the output folder"):
        acquire.local(raw, raw / "out")


@pytest.mark.parametrize("name", ["fog", "textures", "../worlds", "os", ""])
def test_an_unknown_world_is_answered_with_those_that_exist(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="camouflage, .*soft_shadows"):
        acquire.generate(name, {}, tmp_path / "set")


@pytest.mark.parametrize(
    ("options", "key"), [({"colour": 1}, "colour"), ({"count": 0}, "count"), ({"size": "x"}, "size")]
)
def test_a_wrong_option_is_refused_by_its_key(tmp_path: Path, options: dict[str, object], key: str) -> None:
    with pytest.raises(UserError, match=rf"data\.set\.options\.{key}: .*count, size, seed, contrast"):
        acquire.generate("soft_shadows", options, tmp_path / "set")


def test_a_folder_of_other_data_is_never_replaced(raw: Path) -> None:
    with pytest.raises(UserError, match="holds other files"):
        acquire.generate("soft_shadows", SMALL, raw)
    assert (raw / "a.txt").read_text() == "a.txt"
