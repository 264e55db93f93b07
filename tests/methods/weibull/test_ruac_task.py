"""RUAC's training on a small random model: what is trained when, who ascends, and that nothing else is touched."""

from functools import partial

import numpy as np
import pytest
import torch
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from small_models import PaddingModel, random_nano

from uncertsam.base.rng import torch_generator
from uncertsam.config.training import TrainRuac
from uncertsam.methods.weibull._answer import corrected
from uncertsam.methods.weibull.readout import last_product
from uncertsam.methods.weibull.training import RuacTask
from uncertsam.models.geometry import to_square
from uncertsam.models.prompt_schedule import prefix, prompt_sequence, stack
from uncertsam.models.prompts import BACKGROUND, FOREGROUND, from_boxes
from uncertsam.training.examples import Example
from uncertsam.training.task import Step

EARLY, PRIOR, LATE = Step(0, 100), Step(30, 100), Step(60, 100)
PARAMS = TrainRuac(dataset="discs", epochs=1, steps=2, resolution=64)

NEITHER = torch.zeros(2, dtype=torch.bool)


@pytest.fixture(scope="module")
def model():
    return random_nano()


@pytest.fixture(scope="module")
def example(model) -> Example:
    y, x = np.ogrid[:96, :120]
    masks = torch.from_numpy(np.stack([(y - 40) ** 2 + (x - 60) ** 2 < r**2 for r in (16, 35)]))
    picture = torch.randint(0, 256, (96, 120, 3), dtype=torch.uint8, generator=torch_generator(0, "picture")).numpy()
    with torch.no_grad():
        embedding = model.encode(model.geometry.to_input(picture)[None])
    prompts = stack(
        [prompt_sequence(m, model.geometry, torch_generator(0, i), 2, 0.5, 0.5) for i, m in enumerate(masks)]
    )
    return Example("discs", 1, embedding, prompts, masks, partial(torch_generator, 0), lambda: picture)


def task(model, **knobs) -> RuacTask:
    return RuacTask(model, PARAMS.model_copy(update=knobs), 0)


def trained(found: RuacTask, example: Example, step: Step) -> set[str]:
    """The parts that a step gives a gradient."""
    found.module.zero_grad()
    found.loss(example, step, "sample")[0].backward()
    parts = {name: [p.grad for p in part.parameters()] for name, part in found.module.items()}
    return {name for name, grads in parts.items() if any(g is not None and g.any() for g in grads)}


def test_attackers_come_in_last_and_the_model_that_was_given_stays(model, example):
    found, before = task(model), {k: v.clone() for k, v in model.network.state_dict().items()}
    assert trained(found, example, EARLY) == trained(found, example, PRIOR) == {"decoder", "readout"}
    assert trained(found, example, LATE) == {"decoder", "readout", "attackers"}
    assert all(torch.equal(before[k], v) for k, v in model.network.state_dict().items())
    assert all(p.grad is None for p in found.model.network.image_encoder.parameters())


def test_without_attack_the_same_step_trains_the_decoder_alone(model, example):
    assert trained(task(model, attack="none"), example, LATE) == {"decoder", "readout"}
    assert trained(task(model, attack="noise"), example, LATE) == {"decoder", "readout"}


def test_three_rates_fall_to_a_tenth_and_biases_are_not_decayed(model):
    groups = task(model).parameter_groups()
    assert [group.learning_rate for group in groups] == [1e-6, 1e-6, 1e-4, 1e-4, 1e-3, 1e-3]
    assert {group.weight_decay for group in groups if group.parameters[0].ndim > 1} == {0.1}
    assert {group.weight_decay for group in groups if group.parameters[0].ndim <= 1} == {0.0}
    assert groups[0].schedule(0, 50) == 1 and groups[0].schedule(49, 50) == pytest.approx(0.1)


def test_a_loss_follows_from_example_and_step_and_its_mean_from_no_draw(model, example):
    found = task(model)
    with torch.no_grad():
        one, same = (float(found.loss(example, LATE, "sample")[0]) for _ in range(2))
        mean = float(found.loss(example, EARLY, "mean")[0])
        assert one == same and mean == float(found.loss(example, LATE, "mean")[0]) != one


@pytest.mark.parametrize("updates", [True, False])
def test_the_calibration_loss_can_be_kept_from_the_decoder(model, example, updates):
    """With nothing else in the attacked branch, it alone decides who has a gradient."""
    found = task(model, cal_updates_model=updates)
    attacked = found._attacked(example, to_square(example.masks, model.image_size))
    only = type(attacked)("attacked", attacked.embedding, attacked.truth, 0.0, 0.0, 0.1)
    found._of(only, example, "sample").backward()
    by_decoder = [p.grad for p in [*found.decoder.parameters(), *found.readout.parameters()] if p.grad is not None]
    assert any(g.any() for g in by_decoder) == updates
    assert any(p.grad.any() for p in found.style.parameters()) and any(p.grad.any() for p in found.deform.parameters())


def test_the_style_attacker_ascends_the_loss_of_the_attacked_branch(model, example):
    """Not quite by 0.01, as the gradient says: a rectified channel's is not its own. Outlines are left as they are."""
    found = task(model, deform=False, steps=1)
    truth = to_square(example.masks, model.image_size)

    def attacked() -> torch.Tensor:
        return found._of(found._attacked(example, truth), example, "sample")

    begun = attacked()
    begun.backward()
    with torch.no_grad():
        steep = sum(p.grad.square().sum() for p in found.style.parameters())
        for parameter in found.style.parameters():
            parameter -= 0.01 * parameter.grad / steep
        assert float(attacked() - begun) > 0.002


def test_it_begins_near_the_models_own_masks(model, example):
    found = task(model)
    found.begin([example])
    with torch.no_grad():
        decoded = model.decode(example.embedding, prefix(example.prompts, 1))
        mean = found._answer(example.embedding, prefix(example.prompts, 1), NEITHER, "mean", torch_generator(0))
    same = ((mean.logits > 0) == (decoded.logits > 0)).float().mean()
    assert same > 0.99


def test_a_correction_clicks_into_the_error_and_feeds_the_mask_back(model, example):
    found, truth = task(model), to_square(example.masks, 64)
    first = prefix(example.prompts, 1)
    with torch.no_grad():
        answer = found._answer(example.embedding, first, NEITHER, "mean", torch_generator(0))
    for seed in range(5):
        more = corrected(first, answer, truth, model.image_size, torch_generator(seed))
        assert more.points.shape[1] == first.points.shape[1] + 1 and more.masks.shape == (2, 1, 64, 64)
        cells = ((more.points[:, -1] + 0.5) / 4 - 0.5).round().long()
        for k, (x, y) in enumerate(cells.tolist()):
            inside = bool(truth[k, y, x])
            assert more.labels[k, -1] == (FOREGROUND if inside else BACKGROUND)
            assert inside or float(answer.logits[k, 0, y, x]) > 0


def test_a_memory_encoder_fuses_where_the_model_has_one(model, example):
    copied, masks = model.trainable_copy()[0], to_square(example.masks, model.image_size)
    plain = copied.with_object(example.embedding, masks)
    assert plain.shape == (2, *example.embedding.maps[0].shape[1:])
    sampler = MaskDownSampler(copied.width, kernel_size=3, stride=2, padding=1)
    copied.network.memory_encoder = MemoryEncoder(64, sampler, Fuser(CXBlock(copied.width), 2), None, copied.width)
    with torch.no_grad():
        fused = copied.with_object(example.embedding, masks)
    assert fused.shape == plain.shape and not torch.equal(fused[0], fused[1])


def test_a_last_product_of_any_heads_gives_the_models_logits():
    model = PaddingModel()
    picture = np.full((30, 40, 3), 128, np.uint8)
    prompts = from_boxes(torch.tensor([[10.0, 10, 30, 40]]))
    decoded = model.decode(model.encode(model.geometry.to_input(picture)[None]), prompts)
    weights, features = last_product(decoded)
    torch.testing.assert_close(torch.einsum("ntc,nchw->nthw", weights, features), decoded.logits)
