"""Clicks lie on the object, the first in its middle; views change colours and nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from uncertsam.base.rng import numpy_generator
from uncertsam.methods.usam.clicks import VIEWS, central, changed, eroded, scattered

MASKS = arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))).filter(np.any)


def box(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[rows, columns] = True
    return mask


@given(MASKS, st.integers(0, 9))
def test_every_click_lies_on_the_object(mask, seed):
    clicks = np.vstack([central(mask), scattered(mask, 7, numpy_generator(seed))]).astype(int)
    assert mask[clicks[:, 1], clicks[:, 0]].all()


@given(MASKS)
def test_clicks_differ_where_there_are_enough_pixels(mask):
    found = scattered(mask, 7, numpy_generator(0))
    assert len(np.unique(found, axis=0)) == 7 or eroded(mask).sum() < 7


def test_the_first_click_is_in_the_middle_and_keeps_off_the_rim():
    assert central(box(20, 30, slice(4, 13), slice(10, 21))).tolist() == [15, 8]
    assert eroded(box(20, 30, slice(4, 13), slice(10, 21))).sum() == 5 * 7


def test_the_middle_of_a_ring_is_not_clicked():
    ring = box(21, 21, slice(0, 21), slice(0, 21)) & ~box(21, 21, slice(6, 15), slice(6, 15))
    x, y = central(ring).astype(int)
    assert ring[y, x]


@pytest.mark.parametrize("mask", [box(9, 9, slice(3, 6), slice(2, 7)), np.ones((4, 4), bool)], ids=["thin", "full"])
def test_a_mask_that_erosion_would_empty_or_that_has_no_rim_stays(mask):
    assert np.array_equal(eroded(mask), mask)


def test_clicks_follow_from_their_names_alone():
    mask = box(40, 40, slice(5, 35), slice(5, 35))
    first, again, other = (scattered(mask, 7, numpy_generator(0, "reef", 3, name)) for name in ("a", "a", "b"))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_an_empty_mask_cannot_be_clicked():
    with pytest.raises(ValueError, match="empty mask"):
        central(np.zeros((3, 3), bool))


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_another_picture_of_the_same_size_and_follows_from_its_name(view):
    picture = numpy_generator(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    found, again = (changed(picture, view, numpy_generator(0, view)) for _ in range(2))
    assert found.shape == picture.shape and found.dtype == np.uint8
    assert np.array_equal(found, again) and not np.array_equal(found, picture)


def test_noise_has_the_published_spread():
    grey = np.full((200, 200, 3), 127, np.uint8)
    noise = changed(grey, "noise", numpy_generator(0)).astype(float) - 127
    assert noise.std() == pytest.approx(66, abs=2)  # 70.7 before it is cut at 0 and 255


def test_coarse_jpeg_loses_more_than_fine_jpeg_and_keeps_the_colours():
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    picture = np.stack([np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64)), np.full((64, 64), 40, np.uint8)], -1)
    losses = [
        np.abs(changed(picture, v, numpy_generator(0)).astype(float) - picture).mean() for v in ("jpeg10", "jpeg30")
    ]
    assert 12 > losses[0] > losses[1]
