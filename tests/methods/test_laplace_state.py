import json
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
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.models.sam2 import Sam2Model


class Narrow(Sam2Model):
    """A network whose last layer has another shape."""

    @property
    def last_layers(self) -> tuple[nn.Linear, ...]:
        return (nn.Linear(64, 16),)


@pytest.fixture
def copy(fitted: Path, tmp_path: Path) -> Path:
    return Path(copytree(fitted, tmp_path / "laplace"))


def test_save_and_load_are_inverse(state: LaplaceState, fitted: Path, model: Sam2Model) -> None:
    again = load(fitted, model)
    torch.testing.assert_close(again.tensors(), state.tensors(), rtol=0, atol=0)
    assert (again.model, again.images, again.params) == (state.model, state.images, state.params)


def test_the_manifest_says_what_the_posterior_belongs_to(fitted: Path) -> None:
    manifest = json.loads((fitted / "manifest.json").read_text())
    assert manifest["model"] == "random_nano" and manifest["model_sha256"] == "0" * 64
    assert manifest["data"] == {"discs": "abc"} and manifest["images"] == 4
    assert manifest["params"]["likelihood"] == "softmax_pixels" and manifest["prior_precision"] == 0.5
    assert manifest["libraries"]["laplace-torch"] == "0.3"


def test_another_shape_is_refused(fitted: Path, model: Sam2Model) -> None:
    with pytest.raises(UserError, match=r"\[16, 128\].*\[16, 64\]"):
        load(fitted, Narrow(model.network, model.name, model.digest))


@pytest.mark.parametrize("name", ["laplace", "laplace_closed"])
def test_predictions_survive_the_disk(
    name: str, state: LaplaceState, copy: Path, model: Sam2Model, inputs: Inputs
) -> None:
    module = load_method(name)
    loaded = module.build(module.Params(), model, copy)
    direct = Laplace(state, 1000, False) if name == "laplace" else LaplaceClosed(state, False)
    assert same_pass(answer(loaded, inputs).logits, answer(direct, inputs).logits)
