"""The variance network: its size, its loss, its state on disk, its three readings."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from uncertsam.base.errors import UserError
from uncertsam.base.registry import load_method
from uncertsam.base.rng import torch_generator
from uncertsam.config.training import TrainVariance
from uncertsam.inference.algebra import answer
from uncertsam.methods.variance.network import VarianceNetwork, build_network, log_variances, save
from uncertsam.methods.variance.training import VarianceTask
from uncertsam.metrics.measure_list import MEASURES
from uncertsam.metrics.uncertainty import coin_entropy
from uncertsam.models.prompt_schedule import prefix, prompt_sequence, stack
from uncertsam.training.examples import Example
from uncertsam.training.task import Step


@pytest.fixture
def inputs(inputs):
    """Decoded anew: other tests do so in inference mode, whose tensors autograd refuses."""
    return replace(inputs)


@pytest.fixture
def network(model) -> VarianceNetwork:
    return build_network(model, 0, seed=5)


@pytest.fixture
def trained(tmp_path, model, network):
    weights = network.state_dict()
    save(tmp_path / "variance", model, weights, weights, {"token": 0}, {"discs": "abc"})
    return tmp_path / "variance"


@pytest.fixture
def example(model, embedding, masks) -> Example:
    sequences = [prompt_sequence(m, model.geometry, torch_generator(0, i), 3, 0.5, 0.5) for i, m in enumerate(masks)]
    return Example("discs", 1, embedding, stack(sequences), masks, partial(torch_generator, 0), lambda: None)


def task(model, steps: int, side: int) -> VarianceTask:
    return VarianceTask(model, TrainVariance(dataset="discs", epochs=1, steps=steps, resolution=side), seed=5)


def cost(task: VarianceTask, example: Example) -> torch.Tensor:
    return task.loss(example, Step(0, 1), "sample")[0]


def size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_at_the_width_of_sam2_it_has_the_papers_number_of_parameters():
    network = VarianceNetwork(256, 4)
    assert size(network.upscaling) == 166_112
    assert size(network.hypernetworks) == 559_232


def test_it_has_a_value_per_low_resolution_pixel_and_stays_within_five(network, inputs):
    found = log_variances(network, inputs.decoded)
    assert found.shape == inputs.decoded.logits[:, :1].shape
    assert found.abs().max() <= 5


def test_a_fresh_network_follows_from_its_seed_alone(model):
    first, second, other = (build_network(model, 0, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)
    assert all((v == 0).all() for k, v in first.items() if k.startswith("hypernetworks") and k.endswith("bias"))


def test_the_loss_is_the_papers_formula(model, example):
    """One step, at the resolution of the logits, where nothing is interpolated."""
    one = replace(example, prompts=example.prompts[:1], masks=example.masks[:1])
    low = model.decode(example.embedding, prefix(one.prompts, 1))
    logits = low.logits[0, 0]
    found = task(model, 1, logits.shape[-1])
    square = torch.nn.functional.interpolate(
        one.masks[:, None].float(), tuple(logits.shape), mode="bilinear", antialias=True
    )
    truth, s = (square[0, 0] >= 0.5).float(), log_variances(found.module, low)[0, 0]
    wanted = (0.5 * (torch.exp(-s) * (logits.sigmoid() - truth) ** 2 + s)).mean()
    torch.testing.assert_close(cost(found, one), wanted)


def test_parts_of_objects_and_steps_give_the_gradient_of_the_whole(model, example):
    found = task(model, 3, 64)
    cost(found, example).backward()
    apart = [p.grad.clone() for p in found.module.parameters()]
    found.module.zero_grad()
    sum(found._parts(example)).backward()
    for ours, parameter in zip(apart, found.module.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad)


def test_only_the_network_is_trained(model, example):
    found = task(model, 3, 64)
    cost(found, example).backward()
    assert all(p.grad is None for p in model.network.parameters())
    assert all(p.grad is not None for p in found.module.parameters())


def test_training_on_one_image_lowers_its_loss(model, example):
    found = task(model, 2, 64)
    optimiser, values = torch.optim.AdamW(found.module.parameters(), 1e-4), []
    for _ in range(20):
        optimiser.zero_grad()
        value = cost(found, example)
        value.backward()
        optimiser.step()
        values.append(float(value.detach()))
    assert values[-1] < values[0] - 0.1


def test_its_three_measures_read_one_log_variance_and_it_keeps_sams_answer(model, inputs, trained):
    kind, plain = load_method("variance"), load_method("sam")
    found = answer(kind.build(kind.Params(token=0, gate=False), model, trained), inputs)
    low = log_variances(build_network(model, 0, seed=5), inputs.decoded)[:, 0].detach()
    torch.testing.assert_close(found.by(MEASURES["log_variance"]), low)
    torch.testing.assert_close(found.by(MEASURES["squared_error"]), low.exp())
    torch.testing.assert_close(found.uncertainty, torch.from_numpy(coin_entropy(low.numpy())))
    sam = answer(plain.build(plain.Params(token=0, gate=False), model, None), inputs)
    torch.testing.assert_close(found.logits, sam.logits)


def test_the_entropy_is_that_of_the_coin_whose_variance_is_predicted():
    p = np.array([[0.01, 0.1, 0.3, 0.499]], np.float32)
    wanted = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    np.testing.assert_allclose(coin_entropy(np.log(p * (1 - p))), wanted, rtol=1e-4, atol=1e-5)
    assert coin_entropy(np.full((1, 1), 3.0)).item() == pytest.approx(math.log(2))


def test_other_tokens_may_not_be_read_from_a_network_of_token_zero(model, trained):
    kind = load_method("variance")
    with pytest.raises(UserError, match="token 0"):
        kind.build(kind.Params(token="dynamic", gate=False), model, trained)
