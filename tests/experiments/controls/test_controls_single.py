"""One-at-a-time controls: exchanged knobs equal refits, and validation takes the best of its list."""

import pytest
import torch
from small_models import same_pass

from uncertsam.app._profiles import complete
from uncertsam.config.sections import Ablate
from uncertsam.config.training import FitLaplace
from uncertsam.experiments.controls.single import best, settings_of, single_controls, with_prior, with_temperature
from uncertsam.inference.algebra import answer
from uncertsam.methods.posterior.fit import fit

LIKE = FitLaplace(likelihood="softmax_pixels", prior_precision=0.5)


@pytest.fixture
def knobs() -> Ablate:
    return Ablate(
        datasets=None, images=2, masks=1, seed=0, samples=[5, 7], prior_precisions=[0.1, 3.0],
        temperatures=[0.5, 1.0, 2.0], calibrate="somewhere", calibrate_images=2,
    )  # fmt: skip


def test_an_exchanged_prior_is_that_of_a_refit(model, examples, state):
    params = LIKE.model_copy(update={"prior_precision": 1.0})
    again, exchanged = fit(model, examples(params), params), with_prior(state, 1.0)
    assert same_pass(again.variance_weight[0], exchanged.variance_weight[0])
    assert not torch.allclose(state.variance_weight[0], exchanged.variance_weight[0])


def test_an_exchanged_temperature_is_that_of_a_refit_and_widens_above_one(model, examples, state):
    params = LIKE.model_copy(update={"temperature": 4.0})
    again, exchanged = fit(model, examples(params), params), with_temperature(state, 4.0)
    assert same_pass(again.variance_weight[0], exchanged.variance_weight[0])
    assert (exchanged.variance_weight[0] >= state.variance_weight[0]).all()


def test_validation_takes_the_lowest_of_its_list(state):
    grid = {p: with_prior(state, p) for p in (0.1, 1.0, 10.0)}
    assert best(grid, lambda s: abs(float(s.prior_precision) - 1)) == 1.0
    assert best(grid, lambda s: 0.0) == 0.1


def test_every_control_differs_in_what_its_name_says(model, examples, state, knobs, inputs):
    fitted = []

    def refit(params: FitLaplace):
        fitted.append(params)
        return fit(model, examples(params), params)

    single = single_controls(
        state, LIKE, knobs, refit, lambda s: abs(float(s.prior_precision) - 3) + float(s.temperature)
    )
    settings = settings_of(single)
    assert [p.likelihood for p in fitted] == ["bernoulli", "softmax_pixels"]  # the second for the marginal likelihood
    assert fitted[1].prior_precision == "marglik"
    assert settings["laplace_prior_1"] == {"prior_precision": 1.0, "temperature": 1.0}
    assert settings["laplace_prior_validation"] == {"prior_precision": 3.0, "temperature": 1.0}
    assert settings["laplace_temperature_validation"] == {"prior_precision": 0.5, "temperature": 0.5}
    assert settings["laplace_closed"] == settings["laplace_temperature_1"] == settings["laplace_softmax_pixels"]
    assert [single[f"laplace_n{n}"].samples for n in (5, 7)] == [5, 7]
    closed, same = (answer(single[name], inputs).logits for name in ("laplace_closed", "laplace_softmax_pixels"))
    assert same_pass(closed, same)
    assert not same_pass(closed, answer(single["laplace_bernoulli"], inputs).logits)


def test_the_registered_lists_are_those_of_every_profile(root):
    """What the registration names is in every profile, whatever its size."""
    for profile in ("demo", "folder", "paper"):
        knobs = Ablate.model_validate(complete(profile, root / "profiles")["ablate"])
        assert knobs.samples == [5, 10, 100, 1000]
        assert 1.0 in knobs.temperatures and 1.0 in knobs.prior_precisions
