"""Scores of the model itself: what they mean, on pictures where the answer is known."""

import numpy as np
import pytest

from uncertsam.experiments.prompting import box_mask, clicked, clicks_until, grabcut, iou
from uncertsam.models.mask_points import centre, corners


@pytest.fixture
def disc() -> np.ndarray:
    y, x = np.mgrid[:60, :80]
    return (x - 40) ** 2 + (y - 30) ** 2 < 400


def test_the_box_is_the_smallest_that_holds_the_mask(disc):
    box = box_mask(disc)
    assert (box | ~disc).all() and box.sum() == 39 * 39
    assert corners(disc).tolist() == [[21, 11], [59, 49]]


def test_iou_is_that_of_the_sets(disc):
    assert iou(disc, disc) == 1
    assert iou(disc, ~disc) == 0
    assert iou(disc, box_mask(disc)) == pytest.approx(disc.sum() / 39**2)


def test_grabcut_finds_a_red_disc_on_blue_ground(disc):
    picture = np.where(disc[..., None], (200, 30, 30), (20, 40, 180)).astype(np.uint8)
    rough = picture + np.random.default_rng(0).integers(0, 20, picture.shape).astype(np.uint8)
    assert iou(grabcut(rough, box_mask(disc)), disc) > 0.97


def test_grabcut_of_a_box_that_is_everything_is_the_box(disc):
    whole = np.ones_like(disc)
    assert grabcut(np.zeros((60, 80, 3), np.uint8), whole).all()


def test_the_first_click_is_the_middle_of_the_object(disc):
    (x, y), depth = centre(disc)
    assert abs(x - 40) <= 1 and abs(y - 30) <= 1 and depth == pytest.approx(20, abs=1)


def test_clicks_go_where_the_error_is_largest_and_say_of_which_kind_it_is(disc):
    """A model that answers with a mask that misses nothing but holds the right third of the picture as well."""
    asked = []

    def ask(points, labels):
        asked.append((points[-1].tolist(), int(labels[-1])))
        wrong = disc.copy()
        wrong[:, 62:] = True
        return wrong

    masks = clicked(ask, disc, 2)
    assert len(masks) == 2
    assert asked[0][1] == 1 and disc[asked[0][0][1], asked[0][0][0]]
    assert asked[1][1] == 0 and asked[1][0][0] >= 62


def test_clicks_are_counted_up_to_the_first_that_is_good_enough():
    assert clicks_until(0.85, [0.2, 0.85, 0.5, 0.9]) == 2
    assert clicks_until(0.9, [0.2, 0.85, 0.5, 0.9]) == 4
    assert clicks_until(0.95, [0.2, 0.85, 0.5, 0.9]) == 4  # never: all of them
