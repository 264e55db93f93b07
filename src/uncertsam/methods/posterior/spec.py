"""A fit told by names and paths: what its images add up to is found where they are read, be it in other processes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from uncertsam.compute.shards import cut
from uncertsam.config.training import FitLaplace
from uncertsam.inference.spec import PromptSetSpec
from uncertsam.methods.posterior.examples import read_examples
from uncertsam.methods.posterior.fit import Summand, summands, summed
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.spec import Spec

IMAGES = 32  # of a shard, for which a model is opened, or more: see `cut`

Shard = Sequence[int]  # the ids of some images
Sums = list[list[Summand]]  # a list for each of them
Each = Callable[[Callable[[Shard], Sums], Sequence[Shard]], Iterable[Sums]]


@dataclass(frozen=True)
class NamedFit(Spec):
    """What to fit on, and how. data: whose `truth` is a fit split."""

    data: PromptSetSpec
    params: FitLaplace

    def summands(self, images: Shard) -> Sums:
        """Of some images, by their ids; none depends on the others."""
        data = self.data.opened
        some = replace(data.split, images={image: data.split.images[image] for image in images})
        examples = read_examples(data.model, data.embeddings, some, self.params, data.seed, data.dataset)
        return list(summands(data.model, examples, self.params))


def fit_named(fit: NamedFit, each: Each = map) -> LaplaceState:
    """As `fit.fit` on all images of the split.

    each: calls a pure function for every shard, one result after the other in their order
    (`Pool.stream`, say). Raises UserError where the split is empty, or what is named cannot be opened.
    """
    data = fit.data.opened
    found = each(fit.summands, cut(tuple(data.split.images), IMAGES))
    return summed(data.model, (image for shard in found for image in shard), fit.params)
