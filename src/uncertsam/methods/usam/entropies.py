"""Bayesian entropies of a mask, in bits: of mean probability maps over model x view x prompt x mask (USAM, App. A).

    h_y      all models, views, single prompts and masks; masks by their share of the predicted quality
    h_theta  all models, the clean image, the first prompt, the chosen mask
    h_xp     own model, the clean image, all single prompts, the chosen mask
    h_a      own model, the clean image, the first prompt, all masks by their share of the predicted quality
    h_std    own model, the clean image, the first prompt, the chosen mask

Which mask is chosen is the caller's: by the truth (the paper), or by the predicted quality (deployable). The entropy of
a mean map p is the mean over pixels, weighted by p, of the entropy of a coin of probability p (eq. 3). Everywhere else
in this package entropies are in nats.
"""

from collections import defaultdict
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

ENTROPIES = ("h_y", "h_theta", "h_xp", "h_a", "h_std")
_LARGEST = 32.0  # logits are clamped to +-32, as the authors' code does
_TINY = 1e-6  # probabilities are clamped to [_TINY, 1 - _TINY]


def mask_entropy(probability: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n"]:
    """The entropy of a map of probabilities, in bits, in [0, 1]."""
    p = probability.clamp(_TINY, 1 - _TINY)
    bits = -(p * p.log2() + (1 - p) * (1 - p).log2())
    return (p * bits).sum((-2, -1)) / p.sum((-2, -1))


class EntropyGrid:
    """Running means over a grid for n objects: 4 n h w (2 + 3 models) bytes, however many views and prompts."""

    def __init__(self, models: int) -> None:
        self.models = models
        self._sums: dict[tuple[str, int], Tensor] = {}
        self._weights: dict[tuple[str, int], float] = defaultdict(float)

    def add(
        self,
        place: tuple[int, int, int],
        logits: Float[Tensor, "n k h w"],
        scores: Float[Tensor, "n k"],
        chosen: Int[Tensor, " n"],
    ) -> None:
        """One answer per object, of k masks. place: numbers of model, view and prompt; view 0 is the clean image.

        scores: predicted qualities, positive.
        """
        maps, share = logits.float().clamp(-_LARGEST, _LARGEST).sigmoid(), scores / scores.sum(1, keepdim=True)
        by_share = (maps * share[..., None, None]).sum(1)
        one = maps[torch.arange(len(maps), device=maps.device), chosen]
        for name, by_quality in _means(*place):
            self._sums[name] = self._sums.get(name, 0) + (by_share if by_quality else one)
            self._weights[name] += 1

    def entropies(self) -> Float[Tensor, "n models 5"]:
        """The entropies of `ENTROPIES` for each own model. Raises KeyError where an answer is missing."""
        shared, rows = {}, []
        for model in range(self.models):
            names = [(name, -1 if name in ("h_y", "h_theta") else model) for name in ENTROPIES]
            shared.update({n: mask_entropy(self._sums[n] / self._weights[n]) for n in names if n not in shared})
            rows.append(torch.stack([shared[name] for name in names], 1))
        return torch.stack(rows, 1)


def _means(model: int, view: int, prompt: int) -> Iterator[tuple[tuple[str, int], bool]]:
    """The means that an answer goes into (model -1: of no model in particular); whether all its masks do."""
    yield ("h_y", -1), True
    if view == 0:
        yield ("h_xp", model), False
    if view == 0 and prompt == 0:
        yield ("h_theta", -1), False
        yield ("h_std", model), False
        yield ("h_a", model), True
