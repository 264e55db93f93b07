import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError
from scipy.special import expit, log_expit
from small_models import same_pass

from uncertsam.base.registry import load_method
from uncertsam.inference.algebra import Answer, Inputs, answer
from uncertsam.inference.measures import boundary_distance, boundary_proximity, entropy
from uncertsam.models.promptable import PromptableModel

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


def ask(name: str, model: PromptableModel, inputs: Inputs, **params: object) -> Answer:
    module = load_method(name)
    return answer(module.build(module.Params(**params), model, None), inputs)


def brute_force(mask: np.ndarray) -> np.ndarray:
    """Half a cell less than the distance to the nearest cell of the other side."""
    cells = np.argwhere(np.ones_like(mask))
    apart = np.linalg.norm(cells[:, None] - cells[None], axis=2)
    apart[mask.ravel()[:, None] == mask.ravel()[None]] = np.inf
    return (apart.min(1) - 0.5).reshape(mask.shape)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20))
def test_entropy_equals_that_of_scipy_and_stays_within_its_bounds(values: list[float]) -> None:
    z = torch.tensor(values).reshape(1, 1, -1)
    result = entropy(z)
    assert result.min() >= 0 and result.max() <= math.log(2) + 1e-7
    exact = -sum(expit(sign * z.double().numpy()) * log_expit(sign * z.double().numpy()) for sign in (1, -1))
    np.testing.assert_allclose(result.numpy(), exact, atol=1e-30, rtol=1e-5)


def test_entropy_tells_certain_object_apart_as_well_as_certain_ground() -> None:
    z = torch.linspace(8, 16, 500).reshape(1, 1, -1)
    assert torch.equal(entropy(z), entropy(-z))
    assert (entropy(z).diff() < 0).all()


@settings(max_examples=40, deadline=None)
@given(MASKS)
def test_boundary_distance_equals_brute_force(mask: np.ndarray) -> None:
    np.testing.assert_allclose(boundary_distance(mask), brute_force(mask), atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(MASKS)
def test_boundary_distance_is_that_of_the_complement_and_of_the_mirror_image(mask: np.ndarray) -> None:
    distance = boundary_distance(mask)
    np.testing.assert_array_equal(distance, boundary_distance(~mask))
    mirrored = boundary_distance(np.ascontiguousarray(mask[::-1, ::-1]))
    np.testing.assert_allclose(distance, mirrored[::-1, ::-1], atol=1e-5)


@pytest.mark.parametrize("logit", [-3.0, 3.0])
def test_without_a_boundary_nothing_is_doubted(logit: float) -> None:
    assert (boundary_proximity(torch.full((2, 8, 8), logit), 0.02) == 0).all()


def test_boundary_proximity_decays_by_its_scale() -> None:
    z = torch.full((1, 30, 40), -1.0)
    z[:, :, :10] = 1.0
    proximity = boundary_proximity(z, 0.1)
    depth = (torch.arange(40) - 9.5).abs()
    torch.testing.assert_close(proximity[0], torch.exp(-depth / (0.1 * 50)).expand(30, 40))


def test_distances_are_measured_in_the_pictures_own_proportions() -> None:
    """A map of a picture twice as wide as high: across, a cell counts twice."""
    mask = np.zeros((9, 9), bool)
    mask[:, :4] = True
    across = boundary_distance(mask, (1.0, 2.0))
    np.testing.assert_allclose(across[4, 4:8], [1.5, 3.5, 5.5, 7.5])
    np.testing.assert_allclose(boundary_distance(mask.T.copy(), (1.0, 2.0))[4:8, 4], [0.5, 1.5, 2.5, 3.5])


@pytest.mark.parametrize("name", ["constant", "boundary_distance"])
@pytest.mark.parametrize("policy", [{"token": 0, "gate": False}, {"token": "dynamic", "gate": True}])
def test_naive_baselines_have_the_mask_of_sam(
    name: str, policy: dict[str, object], model: PromptableModel, inputs: Inputs
) -> None:
    naive, plain = ask(name, model, inputs, **policy), ask("sam", model, inputs, **policy)
    assert same_pass(naive.logits, plain.logits) and same_pass(naive.iou, plain.iou)


def test_constant_is_one_everywhere(model: PromptableModel, inputs: Inputs) -> None:
    assert (ask("constant", model, inputs).uncertainty == 1).all()


def test_sam_is_the_entropy_of_its_own_probability(model: PromptableModel, inputs: Inputs) -> None:
    with torch.inference_mode():
        probability = torch.sigmoid(inputs.decoded.logits[:, 0].double()).clamp(1e-7, 1 - 1e-7)
    expected = torch.special.entr(probability) + torch.special.entr(1 - probability)
    result = ask("sam", model, inputs, token=0, gate=False).uncertainty
    torch.testing.assert_close(result.double(), expected, atol=1e-6, rtol=1e-3)


def test_scale_must_be_positive() -> None:
    with pytest.raises(ValidationError):
        load_method("boundary_distance").Params(scale=0)


def test_what_is_not_fitted_needs_no_folder(model: PromptableModel) -> None:
    assert [load_method(n).FITTED for n in ("sam", "constant", "boundary_distance")] == [None] * 3
    assert load_method("laplace").FITTED == load_method("laplace_closed").FITTED == "laplace"
    assert Path(load_method("laplace").__file__).stem == "laplace"
