"""Coordinates go to the square input and back without drifting."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from uncertsam.models.geometry import Geometry
from uncertsam.models.prompts import box_of_mask, from_boxes, jitter_boxes, to_prompts

sides = st.integers(1, 4000)


@given(sides, sides, st.sampled_from([256, 1024]))
def test_the_box_of_the_whole_picture_is_the_whole_square(height, width, size):
    box = torch.tensor([[0.0, 0.0, width - 1.0, height - 1.0]])
    torch.testing.assert_close(
        Geometry(size, 64).boxes_to_grid(box, (height, width)),
        torch.tensor([[0.0, 0.0, size - 1.0, size - 1.0]]),
        rtol=0,
        atol=2e-3,
    )


@given(sides, sides, st.sampled_from([256, 1024]), st.integers(0, 2**31))
def test_boxes_stay_ordered_and_inside(height, width, size, seed):
    u = torch.rand(5, 4, generator=torch.Generator().manual_seed(seed))
    corners = (u * torch.tensor([width, height, width, height])).floor()
    box = torch.cat([torch.minimum(corners[:, :2], corners[:, 2:]), torch.maximum(corners[:, :2], corners[:, 2:])], 1)
    scaled = Geometry(size, 64).boxes_to_grid(box, (height, width))
    assert (scaled >= 0).all() and (scaled <= size - 1).all()
    assert (scaled[:, :2] <= scaled[:, 2:]).all()


def test_pixel_centres_map_to_centres():
    centre = Geometry(256, 64).to_grid(torch.tensor([[49.5, 24.5]]), (50, 100))
    torch.testing.assert_close(centre, torch.tensor([[127.5, 127.5]]))


def test_the_box_of_a_mask_is_inclusive():
    mask = torch.zeros(10, 12, dtype=torch.bool)
    mask[2:5, 3:9] = True
    assert box_of_mask(mask).tolist() == [3, 2, 8, 4]


def test_a_jittered_box_moves_by_at_most_a_tenth_of_its_sides_and_twenty_pixels():
    boxes = torch.tensor([[100.0, 100.0, 300.0, 900.0]]).repeat(1000, 1)
    moved = jitter_boxes(boxes, 1024, torch.Generator().manual_seed(0)) - boxes
    assert moved[:, [0, 2]].abs().max() <= 20 and moved[:, [1, 3]].abs().max() <= 20
    assert moved.abs().max() > 19
    narrow = torch.tensor([[100.0, 100.0, 150.0, 150.0]]).repeat(1000, 1)
    assert (jitter_boxes(narrow, 1024, torch.Generator().manual_seed(0)) - narrow).abs().max() <= 5


def test_a_box_is_given_as_two_corner_points():
    prompts = from_boxes(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert prompts.points.tolist() == [[[1, 2], [3, 4]]] and prompts.labels.tolist() == [[2, 3]]


def test_what_is_asked_in_a_picture_moves_to_the_square_with_the_box_before_the_clicks():
    boxes, points, labels = torch.tensor([[1.0, 2, 30, 40]]), torch.tensor([[[3.0, 4], [5, 6]]]), torch.tensor([[1, 0]])
    both = to_prompts(Geometry(256, 64), (50, 70), boxes, points, labels)
    assert both.labels.tolist() == [[2, 3, 1, 0]]
    assert torch.equal(both.points[:, :2].reshape(1, 4), Geometry(256, 64).boxes_to_grid(boxes, (50, 70)))
    assert torch.equal(both.points[:, 2:], Geometry(256, 64).to_grid(points, (50, 70)))
    for some, slots in (((boxes,), slice(2)), ((None, points, labels), slice(2, 4))):
        alone = to_prompts(Geometry(256, 64), (50, 70), *some)
        assert torch.equal(alone.points, both.points[:, slots]) and torch.equal(alone.labels, both.labels[:, slots])
