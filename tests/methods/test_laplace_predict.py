import math
from dataclasses import replace

import pytest
import torch
from small_models import same_pass

from uncertsam.base.rng import torch_generator
from uncertsam.inference.algebra import Inputs, answer, mean_logit
from uncertsam.methods import sam
from uncertsam.methods.laplace import Laplace
from uncertsam.methods.laplace_closed import LaplaceClosed
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.promptable import PromptableModel


@pytest.fixture
def silent(inputs: Inputs) -> Inputs:
    """The same objects, of which the second is not there."""
    score = inputs.decoded.object_logit.clone()
    score[1] = -1.0
    changed = replace(inputs)
    changed.__dict__["decoded"] = replace(inputs.decoded, object_logit=score)
    return changed


def test_output_variance_is_that_of_sampled_weights(
    state: LaplaceState, inputs: Inputs, model: PromptableModel
) -> None:
    (head,), (layer,), count = inputs.decoded.heads, model.last_layers, 4000
    hidden = head.hidden[:, 0]
    (variance,) = state.output_variance([hidden])
    draw = torch_generator(0)
    weights = torch.randn(count, *layer.weight.shape, generator=draw) * state.variance_weight[0].sqrt() + layer.weight
    biases = torch.randn(count, *layer.bias.shape, generator=draw) * state.variance_bias[0].sqrt() + layer.bias
    outputs = torch.einsum("scd,nd->snc", weights, hidden) + biases[:, None]
    ratio = outputs.var(0) / variance
    assert (ratio - 1).abs().max() < 5 * (2 / count) ** 0.5  # a sample variance scatters by sqrt(2 / N)
    error = (outputs.mean(0) - head.output(0)) / (variance / count).sqrt()
    assert error.abs().max() < 5


def test_samples_have_the_moments_of_the_closed_form(state: LaplaceState, inputs: Inputs) -> None:
    count = 1500
    logits = torch.cat(list(Laplace(state, count, False)(inputs).chunks()))
    moments = LaplaceClosed(state, False)(inputs)
    error = (logits.mean(0) - moments.mean) / (moments.variance / count).sqrt()
    assert error.abs().max() < 6
    assert (logits.var(0) / moments.variance - 1).abs().max() < 6 * (2 / count) ** 0.5


def test_sampled_mean_probability_converges_to_the_closed_form(state: LaplaceState, inputs: Inputs) -> None:
    """Bernstein's inequality: a probability's variance is at most P (1 - P), so chance fails one pixel in 10^10."""
    closed = torch.sigmoid(answer(LaplaceClosed(state, False), inputs).logits)
    room = math.log(2e10)
    for count in (100, 4000):
        sampled = torch.sigmoid(answer(Laplace(state, count, False), inputs).logits)
        bound = (2 * closed * (1 - closed) * room / count).sqrt() + room / (3 * count)
        assert ((sampled - closed).abs() <= bound + 2e-5).all()


def test_the_posterior_changes_the_answer(state: LaplaceState, inputs: Inputs, model: PromptableModel) -> None:
    """Else the agreement of sampled and closed form would say nothing."""
    plain = answer(sam.build(sam.Params(token=0, gate=False), model, None), inputs)
    closed = answer(LaplaceClosed(state, False), inputs)
    change = (torch.sigmoid(plain.logits) - torch.sigmoid(closed.logits)).abs()
    assert change.max() > 0.05
    assert closed.uncertainty.mean() > plain.uncertainty.mean()


def test_the_closed_form_never_moves_the_mask(state: LaplaceState, inputs: Inputs) -> None:
    """A normal logit is as likely above its mean as below, so P > 1/2 exactly where the mean is positive."""
    logits = answer(LaplaceClosed(state, False), inputs).logits
    plain = inputs.decoded.logits[:, 0]
    sure = plain.abs() > 1e-4  # nearer to 0 another kernel may round to the other side
    assert torch.equal(logits[sure] > 0, plain[sure] > 0)


@pytest.mark.parametrize("closed", [False, True])
def test_a_certain_posterior_is_the_plain_token_zero(
    closed: bool, state: LaplaceState, inputs: Inputs, model: PromptableModel
) -> None:
    certain = replace(state, prior_precision=torch.tensor(1e14))
    method = LaplaceClosed(certain, False) if closed else Laplace(certain, 20, False)
    plain = answer(sam.build(sam.Params(token=0, gate=False), model, None), inputs)
    torch.testing.assert_close(answer(method, inputs).logits, plain.logits, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("closed", [False, True])
def test_the_gate_silences_absent_objects_and_no_others(closed: bool, state: LaplaceState, silent: Inputs) -> None:
    build = (lambda gate: LaplaceClosed(state, gate)) if closed else (lambda gate: Laplace(state, 20, gate))
    gated, open_ = (mean_logit(build(g)(silent)) for g in (True, False))
    present = [0, 2, 3, 4]
    assert same_pass(gated[present], open_[present])
    torch.testing.assert_close(gated[1], torch.full_like(gated[1], -math.log(1e7)))
    assert open_[1].max() > -10


def test_portions_stay_within_memory(state: LaplaceState, inputs: Inputs) -> None:
    portions = list(Laplace(state, 1000, False)(inputs).chunks())
    assert sum(len(p) for p in portions) == 1000
    assert max(p.numel() for p in portions) <= 2**20


def test_samples_can_be_read_twice(state: LaplaceState, inputs: Inputs) -> None:
    samples = Laplace(state, 10, False)(inputs)
    assert same_pass(torch.cat(list(samples.chunks())), torch.cat(list(samples.chunks())))


def test_another_image_or_seed_is_other_noise(state: LaplaceState, inputs: Inputs) -> None:
    method = Laplace(state, 10, False)
    other = replace(inputs, generator=lambda member: torch_generator(1, member))
    assert not same_pass(answer(method, inputs).logits, answer(method, other).logits)
