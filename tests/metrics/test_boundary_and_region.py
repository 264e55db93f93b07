"""Boundaries and the dilated region against their definitions, pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from uncertsam.metrics.boundary import boundary_width, inner_boundary
from uncertsam.metrics.region import TruthSide, dilate, roi_half_width

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
few = settings(max_examples=60, deadline=None)


def eroded_once(mask):
    padded = np.pad(mask, 1)
    h, w = mask.shape
    return np.all([padded[dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)], axis=0)


def square_around(mask, y, x, half):
    return mask[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]


@few
@given(MASKS, st.integers(1, 4))
def test_inner_boundary_equals_repeated_3x3_erosion_with_zero_padding(mask, depth):
    core = mask
    for _ in range(depth):
        core = eroded_once(core)
    np.testing.assert_array_equal(inner_boundary(mask, depth), mask & ~core)


@few
@given(MASKS, st.integers(1, 4))
def test_dilation_equals_the_square_neighbourhood(mask, half):
    expected = [[square_around(mask, y, x, half).any() for x in range(mask.shape[1])] for y in range(mask.shape[0])]
    np.testing.assert_array_equal(dilate(mask, half), expected)


@pytest.mark.parametrize(
    ("ratio", "height", "width", "expected"), [(0.02, 1024, 1024, 29), (0.01, 1024, 1024, 14), (0.02, 8, 6, 1)]
)
def test_boundary_width_rounds_the_share_of_the_diagonal_but_is_at_least_one(ratio, height, width, expected):
    assert boundary_width(ratio, height, width) == expected


def test_roi_half_width_rounds_up():
    assert roi_half_width(300, 400) == 10
    assert roi_half_width(301, 400) == math.ceil(0.02 * math.hypot(301, 400)) == 11


@few
@given(st.data(), array_shapes(min_dims=2, max_dims=2, max_side=9))
def test_void_leaves_both_regions_and_positions_agree_with_maps(data, shape):
    truth, ignore = data.draw(arrays(bool, shape)), data.draw(arrays(bool, shape))
    side = TruthSide.of(truth, ignore)
    np.testing.assert_array_equal(side.inside["full"], ~ignore)
    np.testing.assert_array_equal(side.inside["roi"], dilate(truth, roi_half_width(*shape)) & ~ignore)
    for name, region in side.regions.items():
        np.testing.assert_array_equal(np.sort(side.order[region]), np.flatnonzero(side.inside[name]))
    np.testing.assert_array_equal(side.ordered, truth.ravel()[side.order])
