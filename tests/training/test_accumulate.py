"""A streamed sum is the sum, in value and in gradient, with one graph at a time."""

import weakref

import torch

from uncertsam.training.accumulate import streamed_sum


def terms(w, x):
    for row in x:
        yield torch.tanh(w @ row).square().sum()


def test_value_and_gradient_are_those_of_the_sum():
    w, x = torch.randn(3, 4, requires_grad=True), torch.randn(5, 4)
    plain = sum(terms(w, x))
    expected = torch.autograd.grad(3 * plain, w)[0]
    found = streamed_sum(terms(w, x), [w])
    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(torch.autograd.grad(3 * found, w)[0], expected)


def test_a_parameter_that_no_term_reads_has_no_gradient_but_zero():
    w, unread = torch.randn(2, requires_grad=True), torch.randn(2, requires_grad=True)
    streamed_sum((w.square().sum() for _ in range(2)), [w, unread]).backward()
    torch.testing.assert_close(w.grad, 4 * w.detach())
    assert torch.equal(unread.grad, torch.zeros(2))


class Sign:
    """Of life of a graph: it lives as long as the node that holds it."""


def test_a_graph_is_gone_before_the_next_is_made():
    w, alive = torch.randn(3, requires_grad=True), []

    def watched():
        for _ in range(4):
            assert all(reference() is None for reference in alive)
            inner = w * 2
            inner.grad_fn.metadata["sign"] = sign = Sign()
            alive.append(weakref.ref(sign))
            del sign
            yield inner.square().sum()
            del inner

    streamed_sum(watched(), [w]).backward()
    assert len(alive) == 4


def test_without_gradients_it_is_the_plain_sum():
    w, x = torch.randn(3, 4, requires_grad=True), torch.randn(5, 4)
    with torch.no_grad():
        found = streamed_sum(terms(w, x), [w])
    assert not found.requires_grad
    torch.testing.assert_close(found, sum(terms(w, x)).detach())
