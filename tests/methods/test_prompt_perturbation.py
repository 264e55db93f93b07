import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from small_models import same_pass
from torch import Tensor

from uncertsam.base.rng import torch_generator
from uncertsam.inference.algebra import Inputs, answer
from uncertsam.inference.perturb import moved_prompts
from uncertsam.methods import sam
from uncertsam.methods.prompt import Params, build
from uncertsam.models.prompts import BOTTOM_RIGHT, FOREGROUND, PAD, TOP_LEFT, Prompts, from_boxes


def logits_of(inputs: Inputs, **params: object) -> Tensor:
    """Of all members."""
    with torch.inference_mode():
        return torch.cat(list(build(Params(token=0, gate=False, **params), inputs.model, None)(inputs).chunks()))


def noise(inputs: Inputs, k: int = 1) -> Tensor:
    """What member k adds to each corner, as a share of the most that it may add."""
    boxes = inputs.prompts.points.flatten(1)
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    limit = 20 * inputs.model.image_size / 1024
    return (moved_prompts(inputs, k, Params()).points.flatten(1) - boxes) / (0.1 * sides).clamp(max=limit)


@pytest.mark.parametrize("policy", [{"token": 0, "gate": False}, {"token": "dynamic", "gate": True}])
def test_the_clean_prompt_alone_is_sam(policy: dict[str, object], inputs: Inputs) -> None:
    alone = answer(build(Params(members=1, **policy), inputs.model, None), inputs)
    plain = answer(sam.build(sam.Params(**policy), inputs.model, None), inputs)
    for field in ("logits", "uncertainty", "iou", "object_logit"):
        assert same_pass(getattr(alone, field), getattr(plain, field)), field


def test_the_first_member_is_clean_and_the_others_differ_from_it_and_each_other(inputs: Inputs) -> None:
    members = logits_of(inputs, members=4)
    with torch.inference_mode():
        clean = inputs.decoded.logits[:, 0]
    torch.testing.assert_close(members[0], clean, atol=1e-4, rtol=1e-4)
    apart = [(members[i] - members[j]).abs().max() for i in range(4) for j in range(i)]
    assert min(apart) > 0.01


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 255)] * 4), min_size=1, max_size=3), st.integers(1, 9))
def test_a_corner_moves_by_a_tenth_of_its_side_and_twenty_pixels_at_1024_at_most(
    inputs: Inputs, corners: list[tuple[int, ...]], k: int
) -> None:
    both = torch.tensor(corners, dtype=torch.float32).reshape(-1, 2, 2)
    boxes = torch.cat([both.amin(1), both.amax(1)], 1)
    moved = moved_prompts(replace(inputs, prompts=from_boxes(boxes)), k, Params()).points.flatten(1)
    most = (0.1 * (boxes[:, 2:] - boxes[:, :2])).clamp(max=20 * 256 / 1024).repeat(1, 2)
    assert ((moved - boxes).abs() <= most + 1e-4).all()
    assert (moved >= 0).all() and (moved <= 255).all() and (moved[:, :2] <= moved[:, 2:]).all()


def test_noise_fills_its_bounds_independently_for_members_corners_and_objects(inputs: Inputs) -> None:
    inner = torch.rand(50, 4, generator=torch.Generator().manual_seed(0)) * 20
    boxes = inner + torch.tensor([40.0, 40, 150, 150])  # nothing is clamped
    drawn = torch.stack([noise(replace(inputs, prompts=from_boxes(boxes)), k) for k in range(1, 10)])
    assert drawn.min() < -0.99 and drawn.max() > 0.99 and abs(float(drawn.mean())) < 0.05
    assert drawn.flatten(1).corrcoef().fill_diagonal_(0).abs().max() < 0.3  # members
    assert drawn.flatten(0, 1).T.corrcoef().fill_diagonal_(0).abs().max() < 0.2  # coordinates
    assert len(drawn[0, :, 0].unique()) == 50  # objects


def test_an_objects_noise_does_not_depend_on_those_beside_it(
    inputs: Inputs, reordered: Callable[[list[int]], Inputs]
) -> None:
    for order in ([4, 3, 2, 1, 0], [2], [3, 0, 3]):
        assert torch.equal(
            moved_prompts(reordered(order), 3, Params()).points, moved_prompts(inputs, 3, Params()).points[order]
        )


def test_only_boxes_move_wherever_their_corners_stand(inputs: Inputs) -> None:
    points = torch.tensor(
        [[[40.0, 50], [90, 120], [60, 70]], [[60.0, 70], [90, 120], [40, 50]], [[5.0, 6], [7, 8], [0, 0]]]
    )
    rows = [[TOP_LEFT, BOTTOM_RIGHT, FOREGROUND], [FOREGROUND, BOTTOM_RIGHT, TOP_LEFT], [FOREGROUND, FOREGROUND, PAD]]
    prompts = Prompts(points, torch.tensor(rows), torch.randn(3, 1, 64, 64, generator=torch.Generator().manual_seed(0)))
    moved = moved_prompts(replace(inputs, prompts=prompts), 1, Params())
    still = (points == moved.points).all(-1)
    assert still.tolist() == [[False, False, True], [True, False, False], [True, True, True]]
    assert torch.equal(moved.points[0], moved.points[1].flip(0))
    assert torch.equal(moved.labels, prompts.labels) and moved.masks is prompts.masks


def test_a_mask_prompt_reaches_every_member(inputs: Inputs) -> None:
    masks = torch.randn(5, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 10
    with_masks = replace(inputs, prompts=replace(inputs.prompts, masks=masks))
    apart = (logits_of(with_masks, members=3) - logits_of(inputs, members=3)).abs().amax((1, 2, 3))
    assert (apart > 0.01).all()


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_the_number_of_prompts_decoded_together_does_not_matter(chunk: int, inputs: Inputs) -> None:
    torch.testing.assert_close(
        logits_of(inputs, members=3, chunk=chunk), logits_of(inputs, members=3), atol=1e-3, rtol=1e-4
    )


def test_the_seed_is_all_that_noise_depends_on(inputs: Inputs) -> None:
    other = replace(inputs, generator=lambda member: torch_generator(1, member))
    assert torch.equal(noise(inputs), noise(replace(inputs))) and not torch.equal(noise(inputs), noise(other))


def test_the_answer_is_that_of_the_mean_probability(inputs: Inputs) -> None:
    p = torch.sigmoid(logits_of(inputs, members=3).double()).mean(0).clamp(1e-7, 1 - 1e-7)
    result = answer(build(Params(token=0, gate=False, members=3), inputs.model, None), inputs)
    expected = torch.special.entr(p) + torch.special.entr(1 - p)
    torch.testing.assert_close(result.uncertainty.double(), expected, atol=1e-5, rtol=1e-3)
    assert result.uncertainty.min() >= 0 and result.uncertainty.max() <= math.log(2) + 1e-6
    torch.testing.assert_close(result.logits.double(), p.logit(), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("wrong", [{"members": 0}, {"scale": -0.1}, {"limit": -1}, {"chunk": 0}, {"points": 8}])
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Params(**wrong)
