"""Weights are read without executing anything, with a checked hash, or not at all."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256
from uncertsam.models.checkpoints import build_network, load_model, manifest_path, save_embedded
from uncertsam.models.nano import NanoSam

CPU = torch.device("cpu")
NAME = "sam2_nano.safetensors"


@pytest.fixture
def shipped(root: Path, tmp_path: Path) -> Path:
    """A copy of the shipped checkpoint that may be damaged."""
    for source in (root / "checkpoints" / NAME, manifest_path(root / "checkpoints" / NAME)):
        shutil.copy(source, tmp_path)
    return tmp_path / NAME


def test_the_shipped_weights_are_at_most_12_megabytes_and_load(root, shipped):
    assert shipped.stat().st_size <= 12_000_000
    model = load_model("sam2_nano", shipped, CPU)
    assert model.digest == json.loads(manifest_path(shipped).read_text())["sha256"]
    assert not model.network.training


@pytest.mark.parametrize(("trunk", "size"), [("conv", 256), ("efficientnet_lite0", 64)])
def test_a_saved_network_loads_back_with_half_precision_weights_its_trunk_and_its_size(tmp_path, trunk, size):
    network = NanoSam(trunk, size)
    save_embedded(network, "sam2_nano", tmp_path / NAME, {"trained_on": []})
    model = load_model("sam2_nano", tmp_path / NAME, CPU)
    assert model.image_size == size
    loaded = model.network.state_dict()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded[name], tensor.half().to(tensor.dtype))


def test_a_manifest_with_an_unknown_trunk_is_refused(tmp_path):
    save_embedded(NanoSam(), "sam2_nano", tmp_path / NAME, {})
    path = manifest_path(tmp_path / NAME)
    path.write_text(path.read_text().replace('"conv"', '"hiera"'))
    with pytest.raises(UserError, match="names the unknown trunk 'hiera'"):
        load_model("sam2_nano", tmp_path / NAME, CPU)


def test_weights_of_another_architecture_are_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / NAME)
    with pytest.raises(UserError, match="does not hold the weights of sam2_nano"):
        load_model("sam2_nano", tmp_path / NAME, CPU)


class Malicious:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Malicious()}, tmp_path / "evil.pt")
    with pytest.raises(UserError, match="cannot be read as weights"):
        load_model("sam2_nano", tmp_path / "evil.pt", CPU)
    assert not (tmp_path / "executed").exists()


def test_a_hash_is_recorded_at_first_use_and_checked_at_the_second(tmp_path):
    path = tmp_path / "sam2_nano.pt"
    torch.save({"model": build_network("sam2_nano").state_dict()}, path)
    load_model("sam2_nano", path, CPU)
    torch.save({"model": build_network("sam2_nano").state_dict()}, path)
    with pytest.raises(UserError, match="SHA-256 differs"):
        load_model("sam2_nano", path, CPU)


@pytest.mark.parametrize("reason", [errno.EROFS, errno.ENOSPC])
def test_weights_in_a_folder_that_cannot_be_written_load_with_a_note(shipped, monkeypatch, caplog, reason):
    manifest_path(shipped).unlink()

    def refuse(path: Path, *rest: object, **more: object) -> None:
        raise OSError(reason, os.strerror(reason), str(path))

    monkeypatch.setattr(Path, "write_text", refuse)  # root may write anywhere
    assert load_model("sam2_nano", shipped, CPU).digest == sha256(shipped)
    assert f"{shipped} is not recorded ({os.strerror(reason)})" in caplog.text
    assert list(shipped.parent.iterdir()) == [shipped]
