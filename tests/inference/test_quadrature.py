from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit, logit

from uncertsam.inference._quadrature import WEIGHTS, expected_sigmoid

MEANS = [0.0, *(sign * size for size in np.geomspace(0.01, 50, 9) for sign in (1, -1))]
VARIANCES = [0.0, *np.geomspace(1e-4, 1e4, 9)]


def adaptive(mean: float, variance: float) -> float:
    """The integral over +-10 standard deviations, split where the sigmoid bends."""
    if variance == 0:
        return float(expit(mean))
    deviation = variance**0.5
    bend = [p for p in (-mean / deviation + k / deviation for k in (-30, -5, 0, 5, 30)) if -10 < p < 10]
    weight = lambda x: expit(mean + deviation * x) * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)  # noqa: E731
    return float(quad(weight, -10, 10, points=bend or None, limit=400, epsabs=1e-9)[0])


def ours(mean: float, variance: float, dtype: torch.dtype = torch.float32) -> float:
    return float(expected_sigmoid(torch.tensor([mean], dtype=dtype), torch.tensor([variance], dtype=dtype)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_within_2e5_of_adaptive_quadrature_on_a_grid(dtype: torch.dtype) -> None:
    worst = max(abs(ours(m, v, dtype) - adaptive(m, v)) for m, v in product(MEANS, VARIANCES))
    assert worst < 2e-5


@settings(max_examples=60, deadline=None)
@given(st.floats(-50, 50), st.floats(0, 1e4))
def test_within_1e4_of_adaptive_quadrature_anywhere(mean: float, variance: float) -> None:
    assert abs(ours(mean, variance) - adaptive(mean, variance)) < 1e-4


def test_the_grid_is_hard_enough_to_fail_twenty_gauss_hermite_nodes() -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    fixed = {p: weights @ expit(p[0] + p[1] ** 0.5 * nodes) / weights.sum() for p in product(MEANS, VARIANCES)}
    assert max(abs(value - adaptive(*p)) for p, value in fixed.items()) > 0.05


def test_without_variance_the_logit_survives_to_the_clamp() -> None:
    z = torch.linspace(-16, 0, 2001, dtype=torch.float64)
    back = logit(expected_sigmoid(z, torch.zeros_like(z)).numpy())
    assert np.abs(back - z.numpy()).max() < 1e-4


def test_the_mixture_is_a_distribution_function() -> None:
    assert sum(WEIGHTS) == pytest.approx(1, abs=1e-9) and min(WEIGHTS) > 0


@settings(max_examples=40, deadline=None)
@given(st.floats(-50, 50), st.floats(0, 1e4))
def test_mirrored_means_sum_to_one(mean: float, variance: float) -> None:
    assert ours(mean, variance) + ours(-mean, variance) == pytest.approx(1, abs=1e-6)


def test_rises_with_the_mean_and_flattens_with_the_variance() -> None:
    mean = torch.linspace(0, 50, 501, dtype=torch.float64)
    values = torch.stack([expected_sigmoid(mean, torch.full_like(mean, v)) for v in VARIANCES])
    assert (values.diff(dim=1) >= 0).all()
    assert (values.diff(dim=0) <= 2e-5).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("mean", "variance"), list(product([-1e30, -50.0, 0.0, 50.0, 1e30], [0.0, 1e-30, 1e4, 3e38])))
def test_extremes_stay_probabilities(mean: float, variance: float, dtype: torch.dtype) -> None:
    assert 0 <= ours(mean, variance, dtype) <= 1
