"""The three sources of uncertainty over one image: the last layer's weights, the picture's colours, the box.

Pictures and boxes are those of `tta_train` and `prompt`, but for the first of each, which is as it was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor

from uncertsam.inference.algebra import Inputs, Masks, Samples, logit_of_tail, mean_tail
from uncertsam.inference.augment import Symmetry
from uncertsam.inference.ensemble import ViewParams, Views
from uncertsam.inference.measures import entropy
from uncertsam.inference.perturb import BoxNoise, Colours, moved_prompts, train_view
from uncertsam.methods.posterior.predictive import moments
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.promptable import Embedding
from uncertsam.models.prompts import Prompts
from uncertsam.models.select import gate

SOURCES = ("laplace", "tta", "prompt", "sam")  # whose predictive entropies are combined


class JointParams(Colours, BoxNoise, frozen=True):
    """views, prompts: pictures and boxes, the first of each unchanged. gate, dtype, batch: as in `ViewParams`.

    Token 0 is read always: the other tokens do not pass through the Bayesian layer.
    """

    views: PositiveInt = 4
    prompts: PositiveInt = 4
    gate: bool = False
    dtype: Literal["float32", "bfloat16"] = "float32"
    batch: PositiveInt = 1


@dataclass(frozen=True)
class _Spread:
    """Entropies [nats] per source of `SOURCES`, and the logit of the mean of the three ensembles' probabilities."""

    entropies: Float[Tensor, "sources n h w"]
    logits: Float[Tensor, "n h w"]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]


def pictures(inputs: Inputs, params: JointParams) -> list[Embedding]:
    """Embeddings of the image and of its changed versions."""
    views = ViewParams(token=0, gate=params.gate, dtype=params.dtype, batch=params.batch)
    changed = Views("tta_train", partial(train_view, params), [Symmetry()] * (params.views - 1), views)
    return [inputs.embedding, *changed.for_image(inputs).embeddings]


def boxes(inputs: Inputs, params: JointParams) -> list[Prompts]:
    """The prompts and their jittered versions."""
    return [inputs.prompts, *(moved_prompts(inputs, k, params) for k in range(1, params.prompts))]


def spread(inputs: Inputs, embeddings: Sequence[Embedding], state: LaplaceState, params: JointParams) -> _Spread:
    """One source at a time, the others left as they are; SAM's own answer is in each ensemble."""
    decoded = inputs.decoded
    own = _token(inputs, inputs.embedding, inputs.prompts, params.gate)
    views = [own, *(_token(inputs, e, inputs.prompts, params.gate) for e in embeddings[1:])]
    prompts = [own, *(_token(inputs, inputs.embedding, p, params.gate) for p in boxes(inputs, params)[1:])]
    laplace = mean_tail(moments(state, decoded, params.gate))
    tails = [laplace, *(mean_tail(_samples(inputs, votes)) for votes in (views, prompts))]
    logits = [*(logit_of_tail(*tail) for tail in tails), own]
    pooled = logit_of_tail(*_pooled_tail(tails))
    return _Spread(torch.stack([*map(entropy, logits)]), pooled, decoded.scores[:, 0], decoded.known_object_logit)


def _pooled_tail(tails: Sequence[tuple[Masks, Masks]]) -> tuple[Masks, Masks]:
    """The mean of several probabilities, each as a sign and the probability of the other sign."""
    sign = tails[0][0]
    turned = [torch.where(other == sign, tail, 1 - tail) for other, tail in tails]
    return sign, torch.stack(turned).mean(0)


def _token(inputs: Inputs, embedding: Embedding, prompts: Prompts, gated: bool) -> Masks:
    same = embedding is inputs.embedding and prompts is inputs.prompts
    decoded = inputs.decoded if same else inputs.model.decode(embedding, prompts)
    return gate(decoded.logits[:, 0], decoded.object_logit) if gated else decoded.logits[:, 0]


def _samples(inputs: Inputs, votes: Sequence[Masks]) -> Samples:
    decoded = inputs.decoded
    return Samples(lambda: [torch.stack(list(votes))], decoded.scores[:, 0], decoded.known_object_logit)
