"""The combination: what it recovers, what it refuses."""

from pathlib import Path

import pytest
import torch

from uncertsam.base.errors import UserError
from uncertsam.inference.algebra import answer
from uncertsam.methods import combined_fitted
from uncertsam.methods.joint.combination import LEAST, CombinationParams, fit, load, save
from uncertsam.methods.joint.ensembles import pictures, spread
from uncertsam.methods.posterior.state import load as load_posterior

PARAMS = CombinationParams(dataset="discs", views=2, prompts=2)


def images(weights: list[float], count: int = LEAST) -> list[tuple[torch.Tensor, torch.Tensor]]:
    drawn = torch.rand(count, 4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    return [(e, torch.tensordot(torch.tensor(weights), e, 1) + 0.01) for e in drawn]


@pytest.fixture
def folder(model, fitted, tmp_path: Path) -> Path:
    save(fit(model, images([0.1, 0.2, 0.0, 0.4]), PARAMS), tmp_path / "combination", fitted, {"discs": "abc"})
    return tmp_path / "combination"


def test_weights_that_made_the_error_are_found_again(model) -> None:
    found = fit(model, images([0.1, 0.2, 0.0, 0.4]), PARAMS)
    assert found.weights == pytest.approx([0.1, 0.2, 0.0, 0.4], abs=1e-3)
    assert found.offset == pytest.approx(0.01, abs=1e-3)


def test_a_weight_that_would_be_negative_is_zero(model) -> None:
    assert min(fit(model, images([0.5, -0.3, 0.2, 0.1]), PARAMS).weights) == 0


def test_too_few_images_are_refused(model) -> None:
    with pytest.raises(UserError, match="too few"):
        fit(model, images([0.1] * 4, LEAST - 1), PARAMS)


def test_what_was_saved_is_loaded(model, folder) -> None:
    assert load(folder, model).weights == pytest.approx([0.1, 0.2, 0.0, 0.4], abs=1e-3)


def test_u_is_the_weighted_sum_of_entropies(model, inputs, fitted, folder) -> None:
    found = answer(combined_fitted.build(combined_fitted.Params(), model, folder), inputs)
    with torch.inference_mode():
        sources = spread(inputs, pictures(inputs, PARAMS), load_posterior(fitted, model), PARAMS)
    expected = load(folder, model)(sources.entropies)
    torch.testing.assert_close(found.uncertainty, expected, atol=1e-5, rtol=1e-4)
