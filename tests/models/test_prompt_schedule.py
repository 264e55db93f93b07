import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from uncertsam.base.rng import torch_generator
from uncertsam.models.geometry import Geometry
from uncertsam.models.prompt_schedule import prefix, prompt_sequence, stack
from uncertsam.models.prompts import BACKGROUND, BOTTOM_RIGHT, FOREGROUND, PAD, TOP_LEFT, box_of_mask

SIZE = 128
SQUARE = Geometry(SIZE, 32)


def disc(height: int = 64, width: int = 64) -> Tensor:
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (y - height // 2) ** 2 + (x - width // 3) ** 2 < 150


def under(points: Tensor, mask: Tensor) -> Tensor:
    """What the mask holds at points given in the model's pixels."""
    x, y = ((points + 0.5) * torch.tensor([mask.shape[1], mask.shape[0]]) / SIZE - 0.5).round().long().T
    return mask[y, x]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(64, 64), (40, 90), (200, 50)]))
def test_clicks_lie_on_the_side_that_their_label_says_and_never_twice(seed: int, shape: tuple[int, int]) -> None:
    mask = disc(*shape)
    prompts = prompt_sequence(mask, SQUARE, torch_generator(seed))
    labels = prompts.labels[0]
    clicks = (labels == FOREGROUND) | (labels == BACKGROUND)
    assert torch.equal(under(prompts.points[0][clicks], mask), labels[clicks] == FOREGROUND)
    assert len(prompts.points[0][clicks].unique(dim=0)) == int(clicks.sum())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_eight_steps_begin_with_a_box_or_a_click_on_the_object(seed: int) -> None:
    labels = prompt_sequence(disc(), SQUARE, torch_generator(seed)).labels[0]
    if labels[0] == TOP_LEFT:
        assert labels[1] == BOTTOM_RIGHT and (labels != PAD).sum() == 9
    else:
        assert labels[0] == FOREGROUND and labels[8] == PAD and (labels != PAD).sum() == 8


def test_half_of_the_starts_are_boxes_and_half_of_the_later_clicks_on_the_object() -> None:
    labels = torch.cat([prompt_sequence(disc(), SQUARE, torch_generator(i)).labels for i in range(150)])
    assert 0.36 < (labels[:, 0] == TOP_LEFT).float().mean() < 0.64
    later = labels[:, 2:8]
    assert 0.43 < (later == FOREGROUND).float().mean() < 0.57


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_the_box_is_jittered_by_at_most_a_tenth_of_its_sides(seed: int) -> None:
    mask = disc()
    corners = prompt_sequence(mask, SQUARE, torch_generator(seed), box_probability=1.0).points[0, :2].flatten()
    exact = SQUARE.boxes_to_grid(box_of_mask(mask)[None], (64, 64))[0]
    reach = min(0.1 * float((exact[2:] - exact[:2]).max()), 20 * SIZE / 1024)
    assert (corners - exact).abs().max() <= reach + 1e-4


@pytest.mark.parametrize("pixels", [1, 3, 7])
def test_a_tiny_object_gives_its_pixels_and_then_ground(pixels: int) -> None:
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask.view(-1)[40 : 40 + pixels] = True
    settings = {"box_probability": 0.0, "foreground_probability": 1.0}
    labels = prompt_sequence(mask, SQUARE, torch_generator(0), **settings).labels[0]
    assert labels.tolist() == [FOREGROUND] * pixels + [BACKGROUND] * (8 - pixels) + [PAD]


def test_a_full_mask_has_no_ground_to_click_on() -> None:
    mask = torch.ones(9, 9, dtype=torch.bool)
    labels = prompt_sequence(mask, SQUARE, torch_generator(0), box_probability=0.0, foreground_probability=0.0).labels
    assert labels[0].tolist() == [FOREGROUND] * 8 + [PAD]


def test_when_all_pixels_are_used_up_the_rest_is_padding() -> None:
    mask = torch.tensor([[True, False]])
    labels = prompt_sequence(mask, SQUARE, torch_generator(0), box_probability=0.0).labels
    assert labels[0].tolist() == [FOREGROUND, BACKGROUND] + [PAD] * 7


def test_an_empty_mask_has_no_prompts() -> None:
    with pytest.raises(ValueError, match="empty"):
        prompt_sequence(torch.zeros(8, 8, dtype=torch.bool), SQUARE, torch_generator(0))


def test_prefixes_of_stacked_sequences_are_nested_and_hold_their_number_of_steps() -> None:
    starts = [prompt_sequence(disc(), SQUARE, torch_generator(0), box_probability=p) for p in (0.0, 1.0)]
    both = stack(starts)
    for steps in range(1, 9):
        cut = prefix(both, steps)
        assert (cut.labels != PAD).sum(1).tolist() == [steps, steps + 1]
        used = cut.labels != PAD
        width = cut.labels.shape[1]
        assert torch.equal(cut.labels[used], both.labels[:, :width][used])
        assert torch.equal(cut.points[used], both.points[:, :width][used])


def test_the_same_generator_gives_the_same_prompts() -> None:
    one, other = (prompt_sequence(disc(), SQUARE, torch_generator(5, "a")) for _ in range(2))
    assert torch.equal(one.points, other.points) and torch.equal(one.labels, other.labels)
