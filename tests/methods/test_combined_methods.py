"""What the combined methods promise on a small random model."""

import math

import pytest
import torch

from uncertsam.inference.algebra import answer
from uncertsam.inference.measures import entropy
from uncertsam.methods import combined_sum, combined_total, laplace_closed, sam


def total(model, fitted, **knobs):
    return combined_total.build(combined_total.Params(**knobs), model, fitted)


def test_the_parts_of_the_total_add_up_to_it(model, inputs, fitted) -> None:
    found = answer(total(model, fitted, views=2, prompts=2, samples=3), inputs)
    torch.testing.assert_close(sum(found.parts.values()), found.uncertainty)
    assert all(part.max() > 0 for part in found.parts.values())
    assert found.uncertainty.min() >= 0 and found.uncertainty.max() <= 0.25


@pytest.mark.parametrize(("knob", "part"), [("samples", "model"), ("views", "image"), ("prompts", "prompt")])
def test_a_source_switched_off_has_no_part_and_the_others_have(model, inputs, fitted, knob, part) -> None:
    knobs = {"views": 2, "prompts": 2, "samples": 3} | {knob: 1}
    found = answer(total(model, fitted, **knobs), inputs)
    assert found.parts[part].max() < 1e-7
    assert all(values.max() > 1e-4 for name, values in found.parts.items() if name != part)


def test_with_every_source_off_the_answer_is_sams_and_u_is_zero(model, inputs, fitted) -> None:
    found = answer(total(model, fitted, views=1, prompts=1, samples=1), inputs)
    own = answer(sam.build(sam.Params(token=0, gate=False), model, None), inputs)
    torch.testing.assert_close(found.logits, own.logits, atol=2e-4, rtol=1e-4)
    assert found.uncertainty.max() == 0


def test_many_drawn_layers_have_the_variance_of_the_closed_form(model, inputs, fitted) -> None:
    """The oracle: the closed form's logits are normal, so a long quadrature gives Var[sigmoid]."""
    found = answer(total(model, fitted, views=1, prompts=1, samples=4000), inputs)
    closed = laplace_closed.build(laplace_closed.Params(), model, fitted)(inputs)
    nodes = torch.linspace(-8, 8, 2001, dtype=torch.float64)
    weights = torch.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    z = closed.mean[0].double()[..., None] + closed.variance[0].double().sqrt()[..., None] * nodes
    p = torch.sigmoid(z)
    variance = (weights * p**2).sum(-1) - (weights * p).sum(-1) ** 2
    torch.testing.assert_close(found.uncertainty[0].double(), variance, atol=0.02, rtol=0.15)


def test_the_sum_with_one_view_and_box_is_laplace_and_twice_sam(model, inputs, fitted) -> None:
    found = answer(combined_sum.build(combined_sum.Params(views=1, prompts=1), model, fitted), inputs)
    closed = answer(laplace_closed.build(laplace_closed.Params(), model, fitted), inputs)
    own = answer(sam.build(sam.Params(token=0, gate=False), model, None), inputs)
    torch.testing.assert_close(found.uncertainty, closed.uncertainty + 2 * entropy(own.logits), atol=1e-4, rtol=1e-4)
    assert found.uncertainty.max() <= 3 * math.log(2) + 1e-5
