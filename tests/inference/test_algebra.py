import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.registry import load_method, method_names
from uncertsam.inference.algebra import Answer, Combined, Inputs, Method, Moments, Samples, answer, mean_logit, read_off
from uncertsam.metrics.measure_list import MEASURES, supported
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY, VARIANCE_P, Measure
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.sam2 import Sam2Model

LARGEST = math.log(1e7)  # the logit at the clamp


def samples(logits: Tensor, portion: int = 10**9) -> Samples:
    nothing = torch.zeros(logits.shape[1])
    return Samples(lambda: logits.split(portion), nothing, nothing)


def build(name: str, model: PromptableModel, parts: Path) -> Method:
    module = load_method(name)
    given = {"samples": 100} if name == "laplace" else {}
    method: Method = module.build(module.Params(**given), model, parts / module.FITTED if module.FITTED else None)
    return method


def assert_same(one: Answer, other: Answer, order: list[int], tolerance: float) -> None:
    for field in ("logits", "uncertainty", "iou", "object_logit"):
        torch.testing.assert_close(
            getattr(one, field), getattr(other, field)[order], atol=tolerance, rtol=tolerance, msg=field
        )


@pytest.mark.parametrize("name", ["algebra", "nothing", "../sam"])
def test_an_unknown_method_is_refused_with_the_list_of_those_there_are(name: str) -> None:
    with pytest.raises(UserError) as refusal:
        load_method(name)
    assert "sam" in refusal.value.mend


@pytest.mark.parametrize("name", method_names())
def test_every_method_answers_finite_maps_and_nonnegative_uncertainty(
    name: str, model: PromptableModel, inputs: Inputs, fitted_parts: Path
) -> None:
    result = answer(build(name, model, fitted_parts), inputs)
    assert result.logits.shape == result.uncertainty.shape == (5, 64, 64)
    assert result.logits.dtype == result.uncertainty.dtype == torch.float32
    assert result.logits.abs().max() <= LARGEST + 1e-5
    assert result.uncertainty.isfinite().all()
    assert result.uncertainty.min() >= 0


@pytest.mark.parametrize("name", [name for name in method_names() if load_method(name).FITTED])
def test_a_method_refuses_the_fitted_part_of_another_model_a_missing_one_and_none(
    name: str, model: Sam2Model, fitted_parts: Path, tmp_path: Path
) -> None:
    other, kind = Sam2Model(model.network, "other", "1" * 64), load_method(name)
    with pytest.raises(UserError, match="was fitted on random_nano .* but the model is other"):
        build(name, other, fitted_parts)
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        build(name, model, tmp_path)
    with pytest.raises(UserError, match="There is no fitted part of the kind .* (fit_laplace|train_variance|fit_comb)"):
        kind.build(kind.Params(), model, None)


@pytest.mark.parametrize("name", method_names())
def test_the_number_of_objects_at_once_does_not_matter(
    name: str, model: PromptableModel, inputs: Inputs, fitted_parts: Path
) -> None:
    method = build(name, model, fitted_parts)
    assert_same(answer(method, inputs, 2), answer(method, inputs, 5), list(range(5)), 1e-3)


@pytest.mark.parametrize("name", method_names())
def test_an_answer_does_not_depend_on_the_other_objects_or_their_order(
    name: str,
    model: PromptableModel,
    inputs: Inputs,
    fitted_parts: Path,
    reordered: Callable[[list[int]], Inputs],
) -> None:
    method, order = build(name, model, fitted_parts), [3, 0]
    assert_same(answer(method, reordered(order)), answer(method, inputs), order, 1e-3)


@pytest.mark.parametrize("name", method_names())
def test_the_callers_autocast_changes_nothing(
    name: str, model: PromptableModel, inputs: Inputs, fitted_parts: Path
) -> None:
    method = build(name, model, fitted_parts)
    with torch.autocast("cpu", torch.bfloat16):
        inside = answer(method, inputs)
    assert_same(inside, answer(method, inputs), list(range(5)), 0.0)


def test_no_prompts_are_refused(model: PromptableModel, inputs: Inputs, fitted_parts: Path) -> None:
    with pytest.raises(ValueError, match="no prompts"):
        answer(build("sam", model, fitted_parts), replace(inputs, prompts=inputs.prompts[:0]))


def test_the_mean_logit_of_one_sample_is_that_sample() -> None:
    z = torch.linspace(-16, 16, 3201).reshape(1, 1, -1, 1)
    torch.testing.assert_close(mean_logit(samples(z)), z[0], atol=1e-5, rtol=1e-5)


def test_the_mean_logit_is_clamped_at_1e7() -> None:
    z = torch.tensor([-1024.0, -17, 17, 1024]).reshape(1, 1, 2, 2)
    expected = torch.tensor([-1.0, -1, 1, 1]).reshape(1, 2, 2) * LARGEST
    torch.testing.assert_close(mean_logit(samples(z)), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 20), st.integers(1, 7))
def test_mean_logit_equals_float64_in_any_portions(seed: int, spread: float, portion: int) -> None:
    z = torch.randn(7, 2, 5, 5, generator=torch.Generator().manual_seed(seed)) * spread
    p, q = torch.sigmoid(z.double()).mean(0), torch.sigmoid(-z.double()).mean(0)
    expected = (p.clamp(min=1e-7).log() - q.clamp(min=1e-7).log()).float()
    torch.testing.assert_close(mean_logit(samples(z, portion)), expected, atol=2e-4, rtol=1e-5)


def test_swapping_object_and_ground_mirrors_the_logit() -> None:
    z = torch.randn(9, 1, 30, 30, generator=torch.Generator().manual_seed(0)) * 5 + 6
    nothing, mean, variance = torch.zeros(1), z.mean(0), z.var(0)
    torch.testing.assert_close(mean_logit(samples(-z)), -mean_logit(samples(z)))
    mirrored = mean_logit(Moments(-mean, variance, nothing, nothing))
    torch.testing.assert_close(mirrored, -mean_logit(Moments(mean, variance, nothing, nothing)))


def spread_out(z: Tensor, portion: int = 10**9) -> Answer:
    return read_off(samples(z, portion), PREDICTIVE_ENTROPY, every=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(1e-3, 20), st.floats(-8, 8), st.integers(1, 9))
def test_every_measure_of_samples_equals_float64_in_any_portions(
    seed: int, spread: float, shift: float, portion: int
) -> None:
    z = torch.randn(9, 2, 5, 5, generator=torch.Generator().manual_seed(seed)) * spread + shift
    found, p = spread_out(z, portion), torch.sigmoid(z.double())
    entropies = torch.special.entr(p) + torch.special.entr(torch.sigmoid(-z.double()))
    wanted = {
        "expected_entropy": entropies.mean(0),
        "variance_p": p.var(0, unbiased=False),
        "variance_logit": z.double().var(0, unbiased=False),
        "max_p": 0.5 - (p.mean(0) - 0.5).abs(),
    }
    for name, values in wanted.items():
        torch.testing.assert_close(found.by(MEASURES[name]).double(), values, rtol=1e-3, atol=1e-6, msg=name)


def test_mutual_information_of_two_opposed_coins_is_known_in_closed_form() -> None:
    """Coins of 0.9 and 0.1: H(0.5) = ln 2 in all, H(0.1) of it expected; equal coins share nothing but doubt."""
    z = torch.tensor([math.log(9), -math.log(9)]).reshape(2, 1, 1, 1)
    alone = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    found = spread_out(z, 1).decomposed()
    assert float(found["expected_entropy"]) == pytest.approx(alone, abs=1e-6)
    assert float(found["mutual_information"]) == pytest.approx(math.log(2) - alone, abs=1e-6)
    assert float(spread_out(z[[0, 0]]).decomposed()["mutual_information"]) == pytest.approx(0, abs=1e-6)


def test_a_single_sample_differs_from_nothing_and_tells_no_spread() -> None:
    assert spread_out(torch.ones(1, 1, 2, 2)).maps == {}
    assert read_off(samples(torch.ones(1, 1, 2, 2)), VARIANCE_P).uncertainty.abs().max() == 0


def test_results_of_the_wrong_form_are_refused_and_none_is_ignored() -> None:
    one, maps = torch.zeros(1), torch.ones(1, 2, 2)
    with pytest.raises((ValueError, TypeError), match="read_off|objects, height, width|Answer"):  # jaxtyping's in tests
        read_off(Samples(lambda: [torch.ones(1, 3, 2, 2)], one, one), PREDICTIVE_ENTROPY)
    with pytest.raises(ValueError, match="Measure of its own"):
        read_off(Combined(maps, maps, one, one), PREDICTIVE_ENTROPY)
    with pytest.raises(ValueError, match="shape"):
        Measure("mean", "mean", "1", ("logits",), lambda z: z.mean(keepdims=True)).of({"logits": maps.numpy()})


def test_a_variance_keeps_its_digits_where_the_mean_is_large() -> None:
    z = 1000 + torch.tensor([0.0, 0.01, 0.02]).reshape(3, 1, 1, 1)
    exact = float(z.double().var(0, unbiased=False))
    assert float(spread_out(z).maps["variance_logit"]) == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (-2.0, 0.3), (3.0, 9.0), (-9.0, 0.01), (5.0, 1e-4)])
def test_every_measure_of_moments_is_that_of_very_many_samples(mean: float, variance: float) -> None:
    nothing, quantiles = torch.zeros(1), (torch.arange(20000) + 0.5) / 20000
    z = mean + variance**0.5 * torch.special.ndtri(quantiles.double()).float()
    moments = Moments(torch.full((1, 1, 1), mean), torch.full((1, 1, 1), variance), nothing, nothing)
    found, wanted = (read_off(o, PREDICTIVE_ENTROPY, True) for o in (moments, samples(z.reshape(-1, 1, 1, 1))))
    for name in ("expected_entropy", "mutual_information", "variance_p", "variance_logit"):
        values = (float(each.by(MEASURES[name])) for each in (found, wanted))
        assert next(values) == pytest.approx(next(values), rel=0.01, abs=1e-7), name


@pytest.mark.parametrize("name", method_names())
def test_what_is_stored_is_only_what_cannot_be_derived_and_mutual_information_is_there_for_ensembles(
    name: str, model: PromptableModel, inputs: Inputs, fitted_parts: Path
) -> None:
    found = answer(build(name, model, fitted_parts), inputs, every=True)
    derived = {measure.name for measure in MEASURES.values() if measure.formula}
    names = {measure.name for measure in supported({"logits", *found.maps}, found.measure)}
    assert not {*found.maps} & derived and {"predictive_entropy", "max_p"} <= names
    ensembles = {"tta_train", "tta_hue", "tta_geometric", "prompt", "laplace", "laplace_closed", "combined_total"}
    assert ("mutual_information" in names) == (name in ensembles)
    assert all(found.by(measure).isfinite().all() for measure in supported({"logits", *found.maps}, found.measure))
    torch.testing.assert_close(found.uncertainty, answer(build(name, model, fitted_parts), inputs).uncertainty)
