"""The Weibull read-out against quadrature, samples and autograd."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from uncertsam.base.rng import torch_generator
from uncertsam.methods.weibull.distribution import Weibull
from uncertsam.methods.weibull.readout import BayesianReadout, Evidence, mimic, straight_through_relu
from uncertsam.methods.weibull.uncertainty import (
    LARGEST,
    analytic_doubt,
    doubt,
    logit_variance,
    logits,
    sampled_probability,
    tempered,
)

DRAWS = 50_000


def one(scale: float, shape: float) -> Weibull:
    return Weibull(torch.tensor([scale * math.gamma(1 + 1 / shape)]), torch.tensor([shape]))


@pytest.fixture
def readout() -> BayesianReadout:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BayesianReadout(8, 12)


@pytest.fixture
def evidence(readout):
    draw = torch_generator(0, "inputs")
    with torch.no_grad():
        return readout(torch.randn(2, 3, 12, generator=draw), torch.randn(2, 8, 4, 5, generator=draw))


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5, 50.0])
def test_moments_are_those_of_scipy(shape):
    theirs = stats.weibull_min(shape, scale=0.7)
    ours = one(0.7, shape)
    assert float(ours.mean) == pytest.approx(theirs.mean(), rel=1e-4)
    assert float(ours.variance) == pytest.approx(theirs.var(), rel=2e-3)


@pytest.mark.parametrize(
    ("shape", "scale", "prior"), [(0.8, 0.5, (1.0, 3.0)), (3.0, 2.0, (2.5, 0.7)), (20.0, 0.3, (1.0, 3.0))]
)
def test_the_divergence_is_the_integral(shape, scale, prior):
    p, q = stats.weibull_min(shape, scale=scale), stats.gamma(prior[0], scale=1 / prior[1])
    wanted = integrate.quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), 0, p.ppf(1 - 1e-13), limit=400)[0]
    assert float(one(scale, shape).kl_to_gamma(*prior)) == pytest.approx(wanted, rel=1e-3, abs=1e-4)


def test_an_exponential_does_not_diverge_from_itself():
    assert float(one(1 / 3, 1.0).kl_to_gamma(1.0, 3.0)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("shape", [0.3, 0.5, 1.0, 7.0, 50.0])
def test_the_mean_is_the_evidence_whatever_the_shape(shape):
    mean = torch.rand(50, generator=torch_generator(0)) * 4
    scale = Weibull(mean, torch.tensor(shape)).scale.double().numpy()
    np.testing.assert_allclose(stats.weibull_min(shape, scale=scale).mean(), mean.numpy(), rtol=1e-4)


@pytest.mark.parametrize("shape", [0.6, 2.0, 30.0])
def test_samples_have_the_distributions_law(shape):
    drawn = one(0.7, shape)
    drawn = Weibull(drawn.mean.expand(DRAWS), drawn.shape).sample(torch_generator(0, "law"))
    assert stats.kstest(drawn.numpy(), stats.weibull_min(shape, scale=0.7).cdf).pvalue > 0.01
    assert float(drawn.max()) <= 0.7 * math.log(1e10) ** (1 / shape) * (1 + 1e-5)


def test_gradients_pass_through_a_sample_and_it_is_the_same_without():
    mean, shape = torch.tensor([0.7], requires_grad=True), torch.tensor([1.5], requires_grad=True)

    def drawn(k: torch.Tensor) -> torch.Tensor:
        return Weibull(mean, k).sample(torch_generator(0, "path"))

    by_mean, by_shape = torch.autograd.grad(drawn(shape), (mean, shape))
    with torch.no_grad():
        torch.testing.assert_close(by_mean, drawn(shape) / 0.7)
        difference = (drawn(shape + 1e-3) - drawn(shape - 1e-3)) / 2e-3
    torch.testing.assert_close(by_shape, difference, rtol=1e-2, atol=1e-4)


def test_a_rectified_channel_still_learns():
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    straight_through_relu(x).sum().backward()
    assert straight_through_relu(x).tolist() == [0, 0, 3] and x.grad.tolist() == [1, 1, 1]


def test_without_evidence_u_is_one(readout):
    for parameter in (readout.pixel, readout.token):
        torch.nn.init.zeros_(parameter.weight)
        torch.nn.init.constant_(parameter.bias, -1.0)
    found = readout(torch.randn(1, 3, 12), torch.randn(1, 8, 4, 4))
    assert torch.equal(logits(found, "mean"), torch.zeros(1, 3, 4, 4))
    torch.testing.assert_close(analytic_doubt(found), torch.ones(1, 3, 4, 4))
    torch.testing.assert_close(sampled_probability(found, 3, torch_generator(0)), torch.full((1, 3, 4, 4), 0.5))


def test_it_has_the_shapes_and_the_size_of_the_paper():
    found = BayesianReadout(32, 256)
    assert sum(p.numel() for p in found.parameters()) == 27_044
    evidence = found(torch.randn(2, 4, 256), torch.randn(2, 32, 8, 8))
    assert evidence.pixels.mean.shape == (2, 32, 8, 8) and evidence.pixels.shape.shape == (2, 1, 8, 8)
    assert evidence.weights.mean.shape == (2, 4, 2, 32) and evidence.weights.shape.shape == (2, 4, 1, 32)
    assert logits(evidence, "mean").shape == (2, 4, 8, 8)


@pytest.fixture
def few() -> Evidence:
    """Three masks at four pixels, of light tails: moments of samples are close to those of the distribution."""
    draw = torch_generator(0, "few")
    shapes = [1.5 + 3 * torch.rand(size, generator=draw) for size in ((1, 1, 2, 2), (1, 3, 1, 8))]
    means = [torch.rand(size, generator=draw) for size in ((1, 8, 2, 2), (1, 3, 2, 8))]
    return Evidence(*map(Weibull, means, shapes))


@pytest.fixture
def drawn(few):
    """Many logits of each."""
    many = Evidence(*(Weibull(part.mean.expand(DRAWS, -1, -1, -1), part.shape) for part in (few.pixels, few.weights)))
    return logits(many, "sample", torch_generator(0, "many")).double()


def test_the_full_variance_is_that_of_samples_and_the_product_is_a_part_of_it(few, drawn):
    mean, variance = logits(few, "mean").double(), logit_variance(few, "full").double()
    error = (drawn.var(0) / DRAWS).sqrt()
    assert float(((drawn.mean(0) - mean).abs() / error).max()) < 5
    fourth = (drawn - drawn.mean(0)).pow(4).mean(0)
    error = ((fourth - variance.square()) / DRAWS).sqrt()
    assert float(((drawn.var(0) - variance).abs() / error).max()) < 5
    assert (logit_variance(few, "product") < logit_variance(few, "full")).all()


def test_factors_are_sampled_and_not_the_logit(drawn):
    """A sum of few products of Weibulls is skewed; a normal logit of the same moments would not be."""
    skew = ((drawn - drawn.mean(0)) / drawn.std(0)).pow(3).mean(0).abs()
    assert float(skew.max()) > 20 * math.sqrt(6 / DRAWS)


def test_a_wider_logit_is_doubted_more():
    spread = torch.linspace(0, 50, 20)
    for mean in (-3.0, 0.5, 6.0):
        found = doubt(tempered(torch.full((1, 1, 1, 20), mean), spread.reshape(1, 1, 1, -1)))
        assert (found.diff() > 0).all() and float(found.min()) >= 0 and float(found.max()) <= 1
    assert torch.equal(doubt(torch.full((1, 1, 1, 1), 99.0)), doubt(torch.full((1, 1, 1, 1), LARGEST)))


def test_a_sample_follows_from_its_generator_and_needs_one(evidence):
    first, second = (logits(evidence, "sample", torch_generator(3)) for _ in range(2))
    assert torch.equal(first, second) and not torch.equal(first, logits(evidence, "mean"))
    with pytest.raises(ValueError, match="generator"):
        logits(evidence, "sample")


def test_the_divergence_of_evidence_sums_channels_and_averages_the_rest(evidence):
    z, w = (part.kl_to_gamma(1.0, 3.0) for part in (evidence.pixels, evidence.weights))
    wanted = z.sum() / (2 * 4 * 5) + w.sum() / (2 * 3 * 2)
    torch.testing.assert_close(evidence.divergence(), wanted)


def test_it_begins_at_masks_that_are_a_linear_read_out_of_the_tokens(readout):
    """Features are a GELU's, some of them negative, and there is a reading of them that is about 1."""
    draw = torch_generator(0, "mimic")
    tokens = torch.randn(40, 3, 12, generator=draw)
    features = torch.nn.functional.gelu(torch.randn(40, 8, 5, 5, generator=draw) + 1.5)
    weights = tokens @ torch.randn(12, 8, generator=draw) + 0.3
    mimic(readout, [(tokens[:20], weights[:20], features[:20]), (tokens[20:], weights[20:], features[20:])])
    wanted = torch.einsum("ntc,nchw->nthw", weights, features)
    with torch.no_grad():
        found = logits(readout(tokens, features), "mean")
    assert float((found - wanted).abs().mean() / wanted.abs().mean()) < 0.02
