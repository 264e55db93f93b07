"""The oracles: laplace-torch's own backend (Jacobians by autograd, `CurvlinopsGGN`), the Hessian, scipy."""

from typing import Any, get_args

import pytest
import torch
from scipy.optimize import minimize_scalar
from small_models import same_pass
from torch import Tensor, nn

from uncertsam.methods.posterior.curvature import DiagLaplace, Head, LastLayerGgn, Likelihood
from uncertsam.methods.posterior.fit import set_prior

C, D, PIXELS = 3, 4, 30
both = pytest.mark.parametrize("likelihood", get_args(Likelihood))


def head(likelihood: Likelihood, heads: int = 1) -> Head:
    """Several heads have several sizes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Head([nn.Linear(D + k, C + k) for k in range(heads)], likelihood).double()


def batch(model: Head, masks: int, seed: int = 0) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(seed)
    target = (torch.rand(masks, PIXELS, generator=draw) < 0.4).double()
    hidden, features = [], []
    for layer in model.layers:
        hidden.append(torch.randn(masks, layer.in_features, generator=draw, dtype=torch.float64))
        features.append(torch.randn(masks, layer.out_features, PIXELS, generator=draw, dtype=torch.float64) + 2)
    return {"hidden": hidden, "features": features, "labels": model.labels(target)}


def posterior(model: Head, **options: float) -> DiagLaplace:
    return DiagLaplace(model, "classification", backend=LastLayerGgn, **options)


class Loader(list):
    dataset = range(1)


@both
@pytest.mark.parametrize(("masks", "heads"), [(1, 1), (5, 1), (3, 2)])
def test_closed_form_equals_the_jacobians_of_laplace_torch(likelihood: Likelihood, masks: int, heads: int) -> None:
    model = head(likelihood, heads)
    data = batch(model, masks)
    loss, diagonal = LastLayerGgn(model, "classification").diag(data, data["labels"])
    autograd = DiagLaplace(model, "classification").backend
    assert type(autograd).__name__ == "CurvlinopsGGN"
    expected_loss, expected = autograd.diag(data, data["labels"])
    torch.testing.assert_close(diagonal, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(loss, expected_loss)


@both
def test_closed_form_is_the_hessian_of_the_likelihood(likelihood: Likelihood) -> None:
    """The logits are linear in the weights, so nothing is approximated but the off-diagonal."""
    model = head(likelihood)
    data = batch(model, 2)
    if likelihood == "softmax_pixels":  # one observation per mask
        data["labels"] = data["labels"] / data["labels"].sum(1, keepdim=True)
    backend = LastLayerGgn(model, "classification")
    shapes = {name: p.shape for name, p in model.named_parameters()}

    def loss(vector: Tensor) -> Tensor:
        parts = vector.split([s.numel() for s in shapes.values()])
        weights = {n: p.reshape(s) for (n, s), p in zip(shapes.items(), parts, strict=True)}
        return backend.lossfunc(torch.func.functional_call(model, weights, (data,)), data["labels"])

    vector = torch.cat([p.detach().flatten() for p in model.parameters()])
    hessian = torch.autograd.functional.hessian(loss, vector)
    torch.testing.assert_close(backend.diag(data, data["labels"])[1], hessian.diagonal(), rtol=1e-9, atol=1e-11)


@both
def test_float32_agrees_with_float64(likelihood: Likelihood) -> None:
    model = head(likelihood)
    data = batch(model, 3)
    exact = LastLayerGgn(model, "classification").diag(data, data["labels"])[1]
    single = {k: [each.float() for each in v] if isinstance(v, list) else v for k, v in data.items()}
    single["labels"] = data["labels"].float() if data["labels"].is_floating_point() else data["labels"]
    result = LastLayerGgn(model.float(), "classification").diag(single, single["labels"])[1]
    torch.testing.assert_close(result.double(), exact, rtol=2e-5, atol=1e-6)


@both
def test_fitting_twice_doubles_the_curvature_and_batches_add_up(likelihood: Likelihood) -> None:
    model = head(likelihood)
    data, more = batch(model, 2), batch(model, 3, seed=1)
    once, twice, mixed = posterior(model), posterior(model), posterior(model)
    once.fit(Loader([data]))
    for _ in range(2):
        twice.fit(Loader([data]), override=False)
    mixed.fit(Loader([data, more]))
    torch.testing.assert_close(twice.H, 2 * once.H)
    assert twice.n_data == 2
    alone = LastLayerGgn(model, "classification").diag(more, more["labels"])[1]
    torch.testing.assert_close(mixed.H, once.H + alone)


@both
def test_curvature_does_not_know_the_labels(likelihood: Likelihood) -> None:
    model = head(likelihood)
    data = batch(model, 2)
    backend = LastLayerGgn(model, "classification")
    first, second = (backend.diag(data, y)[1] for y in (data["labels"], 1 - data["labels"]))
    assert same_pass(first, second)


def test_bernoulli_loss_is_the_binary_cross_entropy() -> None:
    model = head("bernoulli")
    data = batch(model, 2)
    loss, diagonal = LastLayerGgn(model, "classification").diag(data, data["labels"])
    logits = model(data)[:, 1]
    expected = nn.functional.binary_cross_entropy_with_logits(logits, data["labels"].double(), reduction="sum")
    torch.testing.assert_close(loss, expected.detach())
    assert not loss.requires_grad and not diagonal.requires_grad


@both
def test_a_constant_feature_carries_information_only_where_pixels_are_coins(likelihood: Likelihood) -> None:
    model = head(likelihood)
    data = batch(model, 1) | {"features": [torch.full((1, C, PIXELS), 2.0, dtype=torch.float64)]}
    diagonal = LastLayerGgn(model, "classification").diag(data, data["labels"])[1]
    assert diagonal.max() < 1e-12 if likelihood == "softmax_pixels" else diagonal.min() > 0


@both
def test_marginal_likelihood_finds_the_maximum_that_scipy_finds(likelihood: Likelihood) -> None:
    model = head(likelihood)
    ours = posterior(model)
    ours.fit(Loader([batch(model, 4)]))

    def loss(log_precision: float) -> float:
        return -float(ours.log_marginal_likelihood(torch.tensor([log_precision], dtype=torch.float64).exp()))

    best = minimize_scalar(loss, bounds=(-8, 8), method="bounded", options={"xatol": 1e-6}).x
    set_prior(ours, "marglik")
    assert float(ours.prior_precision.log()) == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize("temperature", [0.5, 4.0])
def test_temperature_divides_the_curvature(temperature: float) -> None:
    model = head("bernoulli")
    ours = posterior(model, temperature=temperature, prior_precision=3.0)
    ours.fit(Loader([batch(model, 2)]))
    torch.testing.assert_close(ours.posterior_variance, 1 / (ours.H / temperature + 3.0))
