"""Second passes: steps, bounded memory, and the bound by the truth."""

from dataclasses import replace

import pytest
import torch
from small_models import same_pass

from uncertsam.config.arms import ARMS
from uncertsam.experiments.refinement._refine import Refiner, refine, truth_as_prompt, truth_logits
from uncertsam.experiments.refinement.first_pass import FromMethod, FromSam, uncertainty_map
from uncertsam.experiments.refinement.fusion import build_fusion
from uncertsam.inference.algebra import Plain, answer, objects_at_once
from uncertsam.inference.measures import entropy
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY
from uncertsam.models.geometry import Geometry, to_square
from uncertsam.models.prompts import Prompts


@pytest.fixture
def refiner(model, policy):
    return Refiner(FromSam(policy), "entropy", build_fusion(model, "faithful", 0), policy)


def test_the_arms_are_the_papers_three_and_two_of_our_own():
    told = {name: (arm.source, arm.map, arm.left_out) for name, arm in ARMS.items()}
    assert told == {
        "sam_ones": ("sam", "ones", False),
        "la_ones": ("laplace", "ones", False),
        "la": ("laplace", "entropy", False),
        "sam_entropy": ("sam", "entropy", False),
        "la_lodo": ("laplace", "entropy", True),
    }


def test_ones_say_nothing_of_the_logits():
    logits = torch.randn(2, 4, 4)
    assert torch.equal(uncertainty_map("ones", logits), torch.ones(2, 4, 4))
    assert torch.equal(uncertainty_map("entropy", logits), entropy(logits))


def test_the_uncertainty_is_in_nats_and_not_normalised():
    found = uncertainty_map("entropy", torch.tensor([[[0.0, 40.0, -1024.0]]]))
    torch.testing.assert_close(found, torch.tensor([[[0.6931472, 0.0, 0.0]]]), atol=1e-6, rtol=0)


def test_a_later_pass_is_told_of_the_one_before(refiner, ask, masks):
    """Two steps at once are one step, and one more whose first answer is the first step's."""
    inputs, told = ask(masks), []

    watch = refiner.fusion.register_forward_pre_hook(lambda _, given: told.append(given[1]))
    first, second = refine(refiner, inputs, steps=2)
    watch.remove()
    torch.testing.assert_close(told[1][:, 0], first.uncertainty, atol=1e-5, rtol=0)
    again = replace(refiner, first=FromMethod(Plain(refiner.policy, PREDICTIVE_ENTROPY)))
    assert torch.allclose(refine(again, inputs, 1)[0].logits, first.logits, atol=1e-2)
    assert not torch.allclose(first.logits, second.logits, atol=0.1)


def test_fewer_steps_are_the_beginning_of_more(refiner, ask, masks):
    one, three = refine(refiner, ask(masks), 1), refine(refiner, ask(masks), 3)
    assert same_pass(one[0].logits, three[0].logits)


def test_memory_is_bounded_at_five_hundred_objects(model, refiner, ask, masks, monkeypatch):
    """However many there are, no more are decoded at once than fit; and they do not change each other's answers."""
    decode, most = model.decode, []

    def counted(embedding, prompts, dense=None):
        most.append(len(prompts))
        return decode(embedding, prompts, dense)

    inputs = ask(masks)
    many = Prompts(inputs.prompts.points.repeat(167, 1, 1)[:500], inputs.prompts.labels.repeat(167, 1)[:500])
    monkeypatch.setattr(model, "decode", counted)
    few = refine(refiner, inputs, 1)[0]
    found = refine(refiner, replace(inputs, prompts=many), 1)[0]
    assert len(found.logits) == 500 and max(most) <= objects_at_once(model)
    torch.testing.assert_close(found.logits[498], few.logits[0], atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(found.logits[:3], few.logits, atol=1e-3, rtol=1e-4)


def test_true_masks_become_confident_logits_that_are_softened_at_the_outline_alone(masks):
    logits = truth_logits(masks, Geometry(256, 64))
    assert logits.shape == (3, 64, 64)
    assert logits.abs().max() == pytest.approx(16.118, abs=1e-3)
    assert ((logits > 0) != (to_square(masks, 64) > 0)).sum() < 5  # the outline's own cells
    assert (logits.abs() < 16).float().mean() < 0.1


def test_the_bound_is_sam_with_the_truth_as_mask_prompt(model, ask, masks, policy):
    inputs = ask(masks)
    told = replace(inputs.prompts, masks=truth_logits(masks, model.geometry)[:, None])
    expected = answer(Plain(policy, PREDICTIVE_ENTROPY), replace(inputs, prompts=told))
    assert same_pass(truth_as_prompt(inputs, masks, policy).logits, expected.logits)


def test_masks_of_any_shape_fill_the_square():
    whole = torch.ones(1, 5, 9, dtype=torch.bool)
    half = whole.clone()
    half[:, :, 5:] = False
    assert to_square(whole, 16).mean() == 1
    assert to_square(half, 18).mean() == pytest.approx(10 / 18, abs=0.03)
