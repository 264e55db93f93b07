"""Samples of the logits in portions, summed up in one pass: the mean probability, and how far they lie apart."""

from collections.abc import Iterable
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.inference.measures import Masks, entropy

Portions = Iterable[Float[Tensor, "_ n h w"]]  # not all need have as many samples
SPREAD = ("expected_entropy", "variance_p", "variance_logit")


class _Sums:
    """Sums over samples. Values are taken less the mean of the first portion: squares of what is large but hardly
    varies would lose all their digits."""

    def __init__(self, like: Masks) -> None:
        self.zero: tuple[Masks, Masks] | None = None
        self.entropy = torch.zeros_like(like)
        self.sums = torch.zeros(4, *like.shape, dtype=like.dtype, device=like.device)

    def add(self, tail: Float[Tensor, "s n h w"], logits: Float[Tensor, "s n h w"]) -> None:
        """One more portion."""
        self.zero = self.zero or (tail.mean(0), logits.mean(0))
        self.entropy += entropy(logits.flatten(0, 1)).reshape(logits.shape).sum(0)
        for place, (values, zero) in enumerate(zip((tail, logits), self.zero, strict=True)):
            far = values - zero
            self.sums[2 * place] += far.sum(0)
            self.sums[2 * place + 1] += far.square_().sum(0)

    def maps(self, count: int) -> dict[str, Masks]:
        """The means of `SPREAD`; variances over all samples, which are the whole."""
        mean_p, square_p, mean_z, square_z = self.sums / count
        variances = ((square - mean.square()).clamp(min=0) for mean, square in ((mean_p, square_p), (mean_z, square_z)))
        return dict(zip(SPREAD, (self.entropy / count, *variances), strict=True))


def summed(portions: Portions, spread: bool) -> tuple[Masks, Masks, dict[str, Masks], int]:
    """The sign of the mean logit (of the first portion), the mean probability of the other sign, and how many samples.

    Third, where `spread` asks for it, the maps of `SPREAD`.
    """
    rest = iter(portions)
    first = next(rest)
    sign = sign_of(first.mean(0))
    total, count, sums = torch.zeros_like(sign), 0, _Sums(sign) if spread else None
    for logits in chain([first], rest):
        tail = (logits * -sign).sigmoid_()
        total += tail.sum(0)
        count += len(logits)
        if sums:
            sums.add(tail, logits)
    return sign, total / count, sums.maps(count) if sums else {}, count


def sign_of(logits: Masks) -> Masks:
    """1, or -1 below 0."""
    return torch.where(logits < 0, -1.0, 1.0)
