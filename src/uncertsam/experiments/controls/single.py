"""One-at-a-time controls of Laplace: how many samples, which likelihood, prior precision and temperature.

What the curvature does not depend on (prior precision, temperature) is exchanged in the fitted posterior; another
likelihood, or a prior found by the marginal likelihood, is fitted anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import torch

from uncertsam.config.sections import Ablate
from uncertsam.config.training import FitLaplace
from uncertsam.inference.algebra import Method
from uncertsam.methods.laplace import Laplace
from uncertsam.methods.laplace_closed import LaplaceClosed
from uncertsam.methods.posterior.state import LaplaceState

Fit = Callable[[FitLaplace], LaplaceState]
Judge = Callable[[LaplaceState], float]  # mean NLL on the calibration images
K = TypeVar("K")


def single_controls(
    state: LaplaceState, params: FitLaplace, knobs: Ablate, fit: Fit, judge: Judge
) -> dict[str, Method]:
    """Control -> method. state: fitted with `params`. fit: fits anew. judge: what "validation" minimises."""
    sampled: dict[str, Method] = {f"laplace_n{n}": Laplace(state, n, False) for n in knobs.samples}
    posteriors = {
        "laplace_closed": state,
        **_likelihoods(state, params, fit),
        **_priors(state, params, knobs, fit, judge),
        **_temperatures(state, knobs, judge),
    }
    return sampled | {name: LaplaceClosed(posterior, False) for name, posterior in posteriors.items()}


def settings_of(single: Mapping[str, Method]) -> dict[str, dict[str, float]]:
    """Prior precision and temperature of every control, whoever set them."""
    states = {name: m.state for name, m in single.items() if isinstance(m, Laplace | LaplaceClosed)}
    return {
        name: {"prior_precision": float(s.prior_precision), "temperature": float(s.temperature)}
        for name, s in states.items()
    }


def with_prior(state: LaplaceState, precision: float) -> LaplaceState:
    """The same curvature under another prior precision."""
    return replace(state, prior_precision=torch.full_like(state.prior_precision, precision))


def with_temperature(state: LaplaceState, temperature: float) -> LaplaceState:
    """The same curvature, divided by another temperature; the prior stays."""
    return replace(state, temperature=torch.full_like(state.temperature, temperature))


def best(candidates: Mapping[K, LaplaceState], judge: Judge) -> K:
    """The candidate of the lowest NLL; of equal ones the first."""
    return min(candidates, key=lambda key: judge(candidates[key]))


def _likelihoods(state: LaplaceState, params: FitLaplace, fit: Fit) -> dict[str, LaplaceState]:
    return {
        f"laplace_{name}": _fitted(state, params, params.model_copy(update={"likelihood": name}), fit)
        for name in ("bernoulli", "softmax_pixels")
    }


def _priors(state: LaplaceState, params: FitLaplace, knobs: Ablate, fit: Fit, judge: Judge) -> dict[str, LaplaceState]:
    grid = {precision: with_prior(state, precision) for precision in knobs.prior_precisions}
    return {
        "laplace_prior_1": with_prior(state, 1.0),
        "laplace_prior_marglik": _fitted(state, params, params.model_copy(update={"prior_precision": "marglik"}), fit),
        "laplace_prior_validation": grid[best(grid, judge)],
    }


def _temperatures(state: LaplaceState, knobs: Ablate, judge: Judge) -> dict[str, LaplaceState]:
    grid = {temperature: with_temperature(state, temperature) for temperature in knobs.temperatures}
    named = {f"laplace_temperature_{temperature:g}": each for temperature, each in grid.items()}
    return named | {"laplace_temperature_validation": grid[best(grid, judge)]}


def _fitted(state: LaplaceState, params: FitLaplace, wanted: FitLaplace, fit: Fit) -> LaplaceState:
    """What is fitted already is not fitted again."""
    return state if wanted == params else fit(wanted)
