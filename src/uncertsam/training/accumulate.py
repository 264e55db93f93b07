"""A sum of losses whose graphs are in memory one at a time."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Loss = Float[Tensor, ""]


def streamed_sum(terms: Iterable[Loss], parameters: Sequence[Tensor]) -> Loss:
    """The sum of `terms`, differentiable in `parameters` alone; with gradients off, the plain sum.

    A term is differentiated as soon as it is there, and its graph is let go before the next one is made: give a
    generator. Value and gradient are those of the sum of all terms.
    """
    total, gradients = torch.zeros(()), [torch.zeros_like(p) for p in parameters]
    for term in terms:
        if torch.is_grad_enabled() and term.requires_grad:
            parts = torch.autograd.grad(term, parameters, allow_unused=True)
            for kept, part in zip(gradients, parts, strict=True):
                kept += 0 if part is None else part
        total = total.to(term.device) + term.detach()
        del term
    return _Known.apply(total, gradients, *parameters) if torch.is_grad_enabled() else total


class _Known(torch.autograd.Function):
    """A number whose gradients are known already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: list[Tensor], *parameters: Tensor) -> Tensor:
        ctx.gradients = gradients
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(outer[0] * gradient for gradient in ctx.gradients)
