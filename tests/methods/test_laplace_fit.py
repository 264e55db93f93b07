from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_models import same_pass
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.rng import torch_generator
from uncertsam.config.training import FitLaplace
from uncertsam.inference.algebra import Inputs
from uncertsam.methods.posterior import fit as laplace_fit
from uncertsam.methods.posterior.curvature import DiagLaplace, Head, LastLayerGgn
from uncertsam.methods.posterior.fit import Example, accumulate, draw_example, fit, observed
from uncertsam.models.geometry import Geometry
from uncertsam.models.prompts import TOP_LEFT
from uncertsam.models.sam2 import Sam2Model

SQUARE = Geometry(256, 64)
Examples = Callable[[FitLaplace], list[Example]]


def clones(data: dict[str, Any]) -> dict[str, Any]:
    """The same tensors without inference mode's ban on autograd."""
    return {
        name: [each.clone() for each in value] if isinstance(value, list) else value.clone()
        for name, value in data.items()
    }


@pytest.fixture
def layer_at(model: Sam2Model, inputs: Inputs) -> object:
    """Token 0's logits with the last layer's weights moved by some multiple of one random step."""
    (layer,) = model.last_layers
    before = [p.clone() for p in layer.parameters()]
    step = [torch.randn(p.shape, generator=torch.Generator().manual_seed(3)) for p in before]

    def logits(times: float) -> Tensor:
        with torch.no_grad():
            for p, b, s in zip(layer.parameters(), before, step, strict=True):
                p.copy_(b + times * s)
            try:
                return model.decode(inputs.embedding, inputs.prompts).logits[:, 0].double()
            finally:
                for p, b in zip(layer.parameters(), before, strict=True):
                    p.copy_(b)

    return logits


def test_logits_are_linear_in_the_last_layers_weights(layer_at: Callable[[float], Tensor]) -> None:
    origin, slope = layer_at(0), layer_at(1) - layer_at(0)
    for times in (-1.0, 0.5, 4.0):
        torch.testing.assert_close(layer_at(times), origin + times * slope, atol=1e-3, rtol=1e-4)
    assert slope.abs().max() > 1


def test_the_layer_moves_token_zero_and_no_other(model: Sam2Model, inputs: Inputs) -> None:
    (layer,) = model.last_layers
    with torch.no_grad():
        before, bias = model.decode(inputs.embedding, inputs.prompts), layer.bias.clone()
        layer.bias += 1
        after = model.decode(inputs.embedding, inputs.prompts)
        layer.bias.copy_(bias)  # minus 1 would leave another last bit to the tests that follow
    assert not same_pass(before.logits[:, 0], after.logits[:, 0])
    assert same_pass(before.logits[:, 1:], after.logits[:, 1:])


@pytest.mark.parametrize("resolution", [32, 128])
def test_resizing_features_is_resizing_logits_and_masks_are_resized_by_nearest(
    resolution: int, model: Sam2Model, inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = Head(model.last_layers, "softmax_pixels")
    posterior = DiagLaplace(head, "classification", backend=LastLayerGgn)
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(posterior, "fit", lambda loader, override: seen.append(clones(loader[0])))
    masks = torch.rand(5, 20, 30, generator=torch.Generator().manual_seed(0)) < 0.5
    accumulate(posterior, head, observed(model, inputs.decoded, masks, resolution))
    side = (resolution, resolution)
    expected = F.interpolate(inputs.decoded.logits[:, :1], side, mode="bilinear", align_corners=False).flatten(1)
    torch.testing.assert_close(head(seen[0]).detach(), expected, atol=1e-4, rtol=1e-4)
    row, column = (torch.arange(resolution) * n // resolution for n in masks.shape[1:])
    assert torch.equal(seen[0]["labels"], masks[:, row][:, :, column].flatten(1).float())


@pytest.mark.parametrize("likelihood", ["bernoulli", "softmax_pixels"])
def test_the_fit_adds_up_over_images_in_any_order(likelihood: str, model: Sam2Model, examples: Examples) -> None:
    params = FitLaplace(likelihood=likelihood, resolution=64)
    seen = examples(params)
    once, twice, back = (fit(model, e, params) for e in (seen, seen + seen, seen[::-1]))
    torch.testing.assert_close([*twice.curvature_weight], [2 * each for each in once.curvature_weight])
    torch.testing.assert_close([*twice.curvature_bias], [2 * each for each in once.curvature_bias])
    torch.testing.assert_close(back.curvature_weight, once.curvature_weight)
    assert (once.images, twice.images) == (4, 8)


def test_objects_of_one_image_count_like_images_of_one_object(model: Sam2Model, examples: Examples) -> None:
    params = FitLaplace(objects="all", resolution=64)
    embedding, prompts, masks = examples(params)[0]
    single = [(embedding, prompts[i : i + 1], masks[i : i + 1]) for i in range(3)]
    together, apart = fit(model, [(embedding, prompts, masks)], params), fit(model, single, params)
    torch.testing.assert_close(together.curvature_weight, apart.curvature_weight, rtol=1e-3, atol=1e-3)


def test_the_number_of_objects_decoded_together_does_not_matter(
    model: Sam2Model, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = FitLaplace(objects="all", resolution=64)
    together = fit(model, examples(params), params)
    monkeypatch.setattr(laplace_fit, "objects_at_once", lambda model: 2)
    portions = fit(model, examples(params), params)
    torch.testing.assert_close(together.curvature_weight, portions.curvature_weight, rtol=1e-3, atol=1e-3)
    assert portions.images == 4


@pytest.mark.parametrize("likelihood", ["bernoulli", "softmax_pixels"])
def test_the_summands_add_up_to_what_laplace_torch_finds(
    likelihood: str, model: Sam2Model, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own running sum over portions of objects, and the prior precision that it finds for it."""
    params = FitLaplace(likelihood=likelihood, objects="all", resolution=32, prior_precision="marglik", temperature=3.0)
    monkeypatch.setattr(laplace_fit, "objects_at_once", lambda model: 2)
    head = Head(model.last_layers, params.likelihood)
    theirs = DiagLaplace(head, "classification", temperature=3.0, backend=LastLayerGgn)
    for embedding, prompts, masks in examples(params):
        for i in range(0, len(masks), 2):
            with torch.inference_mode():
                decoded = model.decode(embedding, prompts[i : i + 2])
            accumulate(theirs, head, observed(model, decoded, masks[i : i + 2], params.resolution))
    laplace_fit.set_prior(theirs, "marglik")
    ours = fit(model, examples(params), params)
    assert same_pass(torch.cat([ours.curvature_weight[0].flatten(), ours.curvature_bias[0]]), theirs.H)
    assert float(ours.prior_precision) == pytest.approx(float(theirs.prior_precision), rel=1e-4)


def test_the_fit_leaves_the_model_as_it_was(model: Sam2Model, examples: Examples) -> None:
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    fit(model, examples(FitLaplace()), FitLaplace())
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert not any(p.requires_grad for p in model.network.parameters())


def test_the_state_has_the_variance_of_laplace_torch(model: Sam2Model, examples: Examples) -> None:
    params = FitLaplace(prior_precision="marglik", temperature=5.0)
    state = fit(model, examples(params), params)
    head = Head(model.last_layers, "bernoulli")
    theirs = DiagLaplace(head, "classification", temperature=5.0, prior_precision=float(state.prior_precision))
    theirs.H = torch.cat([state.curvature_weight[0].flatten(), state.curvature_bias[0]])
    ours = torch.cat([state.variance_weight[0].flatten(), state.variance_bias[0]])
    torch.testing.assert_close(ours, theirs.posterior_variance)
    assert float(state.prior_precision) != 1.0


def test_progress_sees_every_image(model: Sam2Model, examples: Examples) -> None:
    seen: list[Example] = []
    fit(model, examples(FitLaplace()), FitLaplace(), lambda items: (seen.append(i) or i for i in items))
    assert len(seen) == 4


def test_no_images_are_refused(model: Sam2Model) -> None:
    with pytest.raises(UserError, match="no images"):
        fit(model, [], FitLaplace())


def test_an_example_is_a_random_object_with_a_uniformly_random_prefix(masks: Tensor) -> None:
    drawn = [draw_example(masks, SQUARE, FitLaplace(), torch_generator(0, i)) for i in range(120)]
    steps = Counter(p.labels.shape[1] - int(p.labels[0, 0] == TOP_LEFT) for p, _ in drawn)
    areas = Counter(int(chosen.sum()) for _, chosen in drawn)
    assert set(steps) == set(range(1, 9)) and min(steps.values()) > 4
    assert len(areas) == 3 and min(areas.values()) > 25


def test_the_same_generator_draws_the_same_example(masks: Tensor) -> None:
    one, other = (draw_example(masks, SQUARE, FitLaplace(objects="all"), torch_generator(7, "x")) for _ in range(2))
    assert torch.equal(one[0].points, other[0].points) and torch.equal(one[1], other[1])
    assert len(one[1]) == 3
