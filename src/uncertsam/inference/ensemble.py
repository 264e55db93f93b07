"""Ensembles over pictures: the model looks at one image in several ways and is asked the same each time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from uncertsam.inference.algebra import Inputs, Samples
from uncertsam.inference.augment import Picture, Symmetry
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY, Measure
from uncertsam.models.geometry import Geometry
from uncertsam.models.promptable import Decoded, Embedding
from uncertsam.models.select import TokenPolicy, select
from uncertsam.models.store import DTYPES, encode

Vote = tuple[Float[Tensor, "m h w"], Float[Tensor, " m"], Float[Tensor, " m"]]  # logits, predicted IoU, object logit
View = Callable[[Picture, Geometry, torch.Generator], Float[Tensor, "3 s s"]]


class ViewParams(TokenPolicy, frozen=True):
    """Which mask is read (members may differ in it), and how the members are encoded.

    dtype: the encoder's; that of the `encode` stage keeps methods comparable. batch: members encoded together.
    """

    dtype: Literal["float32", "bfloat16"] = "float32"
    batch: PositiveInt = 1


@dataclass(frozen=True)
class Views:
    """Test-time augmentation: one member per symmetry. Prompts are the same for all, up to the symmetry.

    name: of the method; member k draws from the generator "name/k". view: the member's picture as the model's
    normalised input, before the symmetry. The members' embeddings are held (16 MiB each for SAM 2).
    """

    name: str
    view: View
    symmetries: Sequence[Symmetry]
    params: ViewParams
    measure: Measure = PREDICTIVE_ENTROPY

    def __call__(self, inputs: Inputs) -> Samples:
        return self.for_image(inputs)(inputs)

    def for_image(self, inputs: Inputs) -> "_SeenMembers":
        """Encode all members."""
        embeddings = [part[i : i + 1] for part in self._encoded(inputs) for i in range(len(part))]
        return _SeenMembers(embeddings, self.symmetries, self.params, self.measure)

    def _encoded(self, inputs: Inputs) -> Iterator[Embedding]:
        picture = partial(self._picture, inputs, inputs.image())
        members = range(len(self.symmetries))
        for start in members[:: self.params.batch]:
            together = torch.stack([picture(k) for k in members[start : start + self.params.batch]])
            yield encode(inputs.model, together, DTYPES[self.params.dtype])

    def _picture(self, inputs: Inputs, image: Picture, k: int) -> Float[Tensor, "3 s s"]:
        view = self.view(image, inputs.model.geometry, inputs.generator(f"{self.name}/{k}"))
        return self.symmetries[k].apply(view)


@dataclass(frozen=True)
class _SeenMembers:
    """The method for one image whose members are encoded: embeddings[k] is of the picture under symmetries[k]."""

    embeddings: Sequence[Embedding]
    symmetries: Sequence[Symmetry]
    policy: TokenPolicy
    measure: Measure

    def __call__(self, inputs: Inputs) -> Samples:
        return pooled(map(partial(self._ask, inputs), self.embeddings, self.symmetries), len(self.embeddings))

    def _ask(self, inputs: Inputs, embedding: Embedding, symmetry: Symmetry) -> Vote:
        prompts = symmetry.prompts(inputs.prompts, inputs.model.image_size)
        logits, iou, score = vote(inputs.model.decode(embedding, prompts), self.policy)
        return symmetry.undo(logits), iou, score


def vote(decoded: Decoded, policy: TokenPolicy) -> Vote:
    """The picked mask of each prompt; drops the rest of what the decoder said, which is some ten times as large."""
    selected = select(decoded, policy)
    return selected.logits, selected.iou, decoded.known_object_logit


def pooled(votes: Iterable[Vote], members: int) -> Samples:
    """Votes on n objects, member after member, as equally likely samples; IoU and object logit are the means.

    All logits are held, 4 * members * n * h * w bytes: decoding them again would cost far more than that.
    """
    logits, iou, score = (torch.unflatten(torch.cat(part), 0, (members, -1)) for part in zip(*votes, strict=True))
    return Samples(lambda: [logits], iou.mean(0), score.mean(0))
