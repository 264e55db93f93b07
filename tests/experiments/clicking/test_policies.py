"""Where clicks go: to the highest uncertainty, or to an error, and never to one place twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncertsam.base.rng import numpy_generator
from uncertsam.experiments.clicking.policies import anywhere, around, error_centre, most_unsure, places

SIZE = (20, 30)


def rng(*names):
    return numpy_generator(0, *names)


@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 1))
def test_the_oracle_never_picks_a_right_pixel(seed, of_mask, of_truth):
    draw = np.random.default_rng(seed)
    mask, truth = draw.random(SIZE) < of_mask, draw.random(SIZE) < of_truth
    found = error_centre(np.ones(SIZE, bool), mask, truth)
    if (mask == truth).all():
        assert found is None
    else:
        assert mask[found[1], found[0]] != truth[found[1], found[0]]


def test_the_oracle_clicks_at_the_heart_of_the_larger_error():
    truth, mask = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    truth[2:5, 2:5] = True  # missed
    mask[8:17, 10:19] = True  # false
    assert error_centre(np.ones(SIZE, bool), mask, truth) == (14, 12)


def test_the_guided_click_is_the_most_unsure_open_pixel():
    unsure = np.zeros(SIZE)
    unsure[3, 7], unsure[10, 20] = 1.0, 2.0
    assert most_unsure(np.ones(SIZE, bool), unsure, rng()) == (20, 10)
    assert most_unsure(places(np.ones(SIZE, bool), [(20, 10)], 2), unsure, rng()) == (7, 3)


def test_ties_are_broken_by_hash_and_reach_every_pixel_that_ties():
    unsure = np.zeros(SIZE)
    unsure[4, 4:8] = 1.0
    first = [most_unsure(np.ones(SIZE, bool), unsure, rng(k)) for k in range(60)]
    assert first == [most_unsure(np.ones(SIZE, bool), unsure, rng(k)) for k in range(60)]
    assert set(first) == {(x, 4) for x in range(4, 8)}


@given(st.integers(0, 1000), st.integers(0, 8))
def test_clicks_keep_apart_while_they_can_and_never_repeat(seed, reach):
    allowed, clicks = np.zeros(SIZE, bool), []
    allowed[5:9, 5:11] = True
    for k in range(24):
        before = places(allowed, [], 0).copy()
        open_ = places(allowed, clicks, reach)
        clicks.append(anywhere(open_, rng(seed, k)))
        assert allowed[clicks[-1][1], clicks[-1][0]] and (before == allowed).all()
    assert len(set(clicks)) == 24 and anywhere(places(allowed, clicks, reach), rng()) is None
    x, y = clicks[0]
    apart = np.hypot(clicks[1][0] - x, clicks[1][1] - y)
    assert apart > reach or not any(np.hypot(a - x, b - y) > reach + 1 for b in range(5, 9) for a in range(5, 11))


@pytest.mark.parametrize("where", [(0, 0), (10, 12), (19, 29)])
def test_the_region_is_the_box_and_a_margin_within_the_picture(where):
    truth = np.zeros(SIZE, bool)
    truth[where] = True
    rows, columns = np.nonzero(around(truth))
    assert rows.min() == max(0, where[0] - 1) and rows.max() == min(19, where[0] + 1)
    assert columns.min() == max(0, where[1] - 1) and columns.max() == min(29, where[1] + 1)
