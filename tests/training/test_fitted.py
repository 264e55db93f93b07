"""A fitted part comes back as it was saved, and only to the model that it was fitted on."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from uncertsam.base.errors import UserError
from uncertsam.training import fitted
from uncertsam.training.fitted import FittedPart

PART = FittedPart("slopes, version 1", "Fit the slopes again.", {"images": int})
WEIGHTS = {"slope": torch.arange(6.0).reshape(2, 3), "offset": torch.tensor(0.1, dtype=torch.float64)}
LIKE = {"slope": torch.zeros(2, 3), "offset": torch.zeros(())}
OURS, OTHER = (SimpleNamespace(name=name, digest=digit * 64) for name, digit in (("nano", "0"), ("tiny", "1")))
FILE = "best.safetensors"


def save(folder: Path, part: FittedPart = PART, **facts: object) -> None:
    files = {FILE: WEIGHTS, "last.safetensors": {"slope": torch.ones(1)}}
    part.save(folder, OURS.name, OURS.digest, files, {"params": {}, "images": 4, **facts})


def load(folder: Path, model: SimpleNamespace = OURS, like: dict[str, torch.Tensor] = LIKE) -> dict[str, torch.Tensor]:
    return PART.open(folder, model).weights(FILE, like)


def edit(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    kept = {name: value for name, value in manifest.items() if value is not None}
    (folder / "manifest.json").write_text(json.dumps(kept))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "part")
    return tmp_path / "part"


def test_saving_and_loading_are_inverse(folder):
    found = load(folder)
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], WEIGHTS[name]) and found[name].dtype == WEIGHTS[name].dtype for name in found)
    assert PART.open(folder, OURS).manifest["images"] == 4


def test_saving_twice_writes_the_same_bytes(folder, tmp_path):
    save(tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_a_failed_save_leaves_what_was_there(folder, monkeypatch):
    before = (folder / "manifest.json").read_bytes()
    monkeypatch.delattr(fitted, "write_json")  # the disk fails between the two files
    with pytest.raises(NameError):
        save(folder, images=5)
    assert (folder / "manifest.json").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_another_model_is_refused_and_both_are_named(folder):
    with pytest.raises(
        UserError, match=r"nano \(000000000000\), but the model is tiny \(111111111111\)\. Fit the slop"
    ):
        load(folder, OTHER)


def test_without_a_folder_the_remedy_is_told():
    with pytest.raises(UserError, match="Fit the slopes again"):
        PART.open(None, OURS)


def test_a_part_whose_only_file_has_the_only_hash_is_read(folder):
    """As posteriors and fusion modules were written once."""
    edit(folder, sha256=hashlib.sha256((folder / FILE).read_bytes()).hexdigest())
    assert torch.equal(load(folder)["slope"], WEIGHTS["slope"])


@pytest.mark.parametrize("name", [FILE, "manifest.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing\. Fit the slopes again"):
        load(folder)


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b[: len(b) // 2], lambda b: b[:-3] + b"\1" + b[-2:]])
def test_a_changed_file_is_refused(folder, change):
    (folder / FILE).write_bytes(change((folder / FILE).read_bytes()))
    with pytest.raises(UserError, match="not the file that its manifest describes"):
        load(folder)


def test_a_file_that_is_no_safetensors_is_refused_though_its_hash_is_right(folder):
    (folder / FILE).write_bytes(b"{}")
    edit(folder, sha256={FILE: hashlib.sha256(b"{}").hexdigest()})
    with pytest.raises(UserError, match=rf"{FILE} cannot be read"):
        load(folder)


@pytest.mark.parametrize(
    ("like", "told"),
    [
        ({**LIKE, "slope": torch.zeros(2, 2)}, r"slope has the shape \[2, 3\], not \[2, 2\]"),
        ({**LIKE, "bend": torch.zeros(1)}, r"bend has the shape None, not \[1\]"),
        ({"slope": LIKE["slope"]}, r"offset has the shape \[\], not None"),
    ],
    ids=["another shape", "one too few", "one too many"],
)
def test_tensors_that_do_not_fit_the_model_are_refused(folder, like, told):
    with pytest.raises(UserError, match=told):
        load(folder, like=like)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"text"', "\udc80"])
def test_a_broken_manifest_is_refused(folder, text):
    (folder / "manifest.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"manifest\.json is broken .*Fit the slopes again"):
        load(folder)


@pytest.mark.parametrize("name", ["kind", "model", "model_sha256", "params", "sha256", "images"])
@pytest.mark.parametrize("value", [None, []])
def test_a_manifest_that_lacks_a_fact_is_refused(folder, name, value):
    edit(folder, **{name: value})
    with pytest.raises(UserError, match=rf"manifest\.json is broken \(it lacks {name}\)"):
        load(folder)


def test_a_part_of_another_kind_is_refused(folder):
    save(folder, FittedPart("bends, version 1", ""))
    with pytest.raises(UserError, match=r"is not of the kind 'slopes, version 1'"):
        load(folder)
