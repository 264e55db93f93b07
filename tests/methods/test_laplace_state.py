import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
import torch
from small_models import same_pass
from torch import nn

from uncertsam.base.errors import UserError
from uncertsam.base.registry import load_method
from uncertsam.inference.algebra import Inputs, answer
from uncertsam.methods.laplace import Laplace
from uncertsam.methods.laplace_closed import LaplaceClosed
from uncertsam.methods.posterior.state import TENSORS, LaplaceState, load, save
from uncertsam.models.promptable import PromptableModel


class Other(PromptableModel):
    """The same network under another name, or with another last layer."""

    def __init__(self, model: PromptableModel, name: str, digest: str, layer: nn.Linear | None = None) -> None:
        super().__init__(model.network, name, digest)
        self.layer = layer or model.last_layer

    @property
    def last_layer(self) -> nn.Linear:
        return self.layer


@pytest.fixture
def copy(fitted: Path, tmp_path: Path) -> Path:
    return Path(copytree(fitted, tmp_path / "laplace"))


def edit(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def test_save_and_load_are_inverse(state: LaplaceState, fitted: Path, model: PromptableModel) -> None:
    again = load(fitted, model)
    assert all(torch.equal(getattr(again, name), getattr(state, name)) for name in TENSORS)
    assert (again.model, again.images, again.params) == (state.model, state.images, state.params)


def test_saving_twice_writes_the_same_bytes(state: LaplaceState, fitted: Path, copy: Path) -> None:
    save(state, copy, {"discs": "abc"})
    for name in ("posterior.safetensors", "manifest.json"):
        assert (copy / name).read_bytes() == (fitted / name).read_bytes()


def test_the_manifest_says_what_the_posterior_belongs_to(fitted: Path) -> None:
    manifest = json.loads((fitted / "manifest.json").read_text())
    assert manifest["model"] == "random_nano" and manifest["model_sha256"] == "0" * 64
    assert manifest["data"] == {"discs": "abc"} and manifest["images"] == 4
    assert manifest["params"]["likelihood"] == "softmax_pixels" and manifest["prior_precision"] == 0.5
    assert manifest["libraries"]["laplace-torch"] == "0.3"


def test_another_model_is_refused_and_both_are_named(fitted: Path, model: PromptableModel) -> None:
    with pytest.raises(UserError, match=r"random_nano \(000000000000\).*sam2_other \(ffffffffffff\)"):
        load(fitted, Other(model, "sam2_other", "f" * 64))


def test_retrained_weights_of_the_same_name_are_refused(fitted: Path, model: PromptableModel) -> None:
    with pytest.raises(UserError, match=r"\(000000000000\).*\(111111111111\)"):
        load(fitted, Other(model, model.name, "1" * 64))


def test_another_shape_is_refused(fitted: Path, model: PromptableModel) -> None:
    with pytest.raises(UserError, match=r"\[16, 128\].*\[16, 64\]"):
        load(fitted, Other(model, model.name, model.digest, nn.Linear(64, 16)))


def test_changed_tensors_are_refused(copy: Path, model: PromptableModel) -> None:
    flip_a_bit(copy / "posterior.safetensors")
    with pytest.raises(UserError, match="not the file that its manifest describes"):
        load(copy, model)


@pytest.mark.parametrize("name", ["posterior.safetensors", "manifest.json"])
def test_a_missing_file_is_refused(name: str, copy: Path, model: PromptableModel) -> None:
    (copy / name).unlink()
    with pytest.raises(UserError, match=name):
        load(copy, model)


@pytest.mark.parametrize(
    "change",
    [lambda m: m.update(kind="version 0"), lambda m: m.pop("kind"), lambda m: m.pop("params")],
    ids=["other kind", "no kind", "no params"],
)
def test_another_kind_of_manifest_is_refused(
    change: Callable[[dict[str, object]], object], copy: Path, model: PromptableModel
) -> None:
    edit(copy, change)
    with pytest.raises(UserError, match=r"manifest\.json"):
        load(copy, model)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_a_broken_manifest_is_refused(text: str, copy: Path, model: PromptableModel) -> None:
    (copy / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json is broken"):
        load(copy, model)


@pytest.mark.parametrize("name", ["laplace", "laplace_closed"])
def test_predictions_survive_the_disk(
    name: str, state: LaplaceState, copy: Path, model: PromptableModel, inputs: Inputs
) -> None:
    module = load_method(name)
    loaded = module.build(module.Params(), model, copy)
    direct = Laplace(state, 1000, False) if name == "laplace" else LaplaceClosed(state, False)
    assert same_pass(answer(loaded, inputs).logits, answer(direct, inputs).logits)


@pytest.mark.parametrize("name", ["laplace", "laplace_closed"])
def test_an_unfitted_method_is_refused(name: str, model: PromptableModel) -> None:
    module = load_method(name)
    with pytest.raises(UserError, match="fit_laplace"):
        module.build(module.Params(), model, None)
