"""The calibration loss at its four corners, its optimum, and the curriculum's table."""

import pytest
import torch

from uncertsam.base.rng import torch_generator
from uncertsam.methods.weibull.losses import Curriculum, Weights, calibration_loss
from uncertsam.training.task import Step


def slopes(error: float, u: float) -> tuple[float, float]:
    """Of one pixel's loss by its error and by its u."""
    e, v = (torch.full((1, 1), value, requires_grad=True) for value in (error, u))
    return tuple(float(g) for g in torch.autograd.grad(calibration_loss(e, v), (e, v)))


@pytest.mark.parametrize("u", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("error", [0.0, 0.3, 1.0])
def test_the_first_pair_teaches_the_error_and_the_second_u(error, u):
    e, v = torch.tensor(error), torch.tensor(u)
    by_error, by_u = slopes(error, u)
    assert by_error == pytest.approx(float(torch.exp(-v) - torch.exp(v)), abs=1e-6)
    assert by_u == pytest.approx(float((1 - e) * torch.exp(v) - e * torch.exp(-v)), abs=1e-6)


def test_at_the_corners_doubt_rises_where_it_is_wrong_and_falls_where_it_is_right():
    assert slopes(1.0, 0.0) == (0, -1) and slopes(0.0, 0.0) == (0, 1)
    assert slopes(1.0, 1.0)[1] == pytest.approx(-float(torch.exp(torch.tensor(-1.0))))
    assert slopes(0.0, 1.0)[1] == pytest.approx(float(torch.exp(torch.tensor(1.0))))


def test_the_value_is_symmetric_in_its_two_pairs():
    e, u = torch.rand(2, 3, 4, 5, generator=torch_generator(0))
    wanted = 2 * (e * torch.exp(-u) + (1 - e) * torch.exp(u)).mean((1, 2))
    torch.testing.assert_close(calibration_loss(e, u), wanted)


@pytest.mark.parametrize(("error", "best"), [(0.2, 0.0), (0.5, 0.0), (0.7, 0.4236), (0.881, 1.0), (1.0, 1.0)])
def test_the_best_u_of_a_pixel_is_half_the_log_odds_of_its_error(error, best):
    u = torch.linspace(0, 1, 2001)[:, None, None]
    found = calibration_loss(torch.full_like(u, error), u)
    assert float(u[int(found.argmin())]) == pytest.approx(best, abs=2e-3)


def test_the_curriculum_is_the_papers_table():
    paper = Curriculum(5 / 20, 2 / 20)
    found = [paper.weights(Step(epoch, 20)) for epoch in range(20)]
    assert found == [Weights(1.0, 0.0, 0.0)] * 5 + [Weights(1.0, 0.05, 0.0)] * 2 + [Weights(0.8, 0.05, 0.2)] * 13
