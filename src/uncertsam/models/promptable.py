"""What every promptable model gives: encode once, decode many, and show what its last layers see.

A model is a file of this package with `names()`, `network(name, facts)` and `Model`: see `checkpoints`. All that lies
outside this package uses `PromptableModel`, and knows nothing of the network within.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.models.geometry import Geometry
from uncertsam.models.prompts import Prompts


@dataclass(frozen=True)
class Embedding:
    """Features of n images: as many maps [n, c, h, w] as the model needs; only the model knows what each is."""

    maps: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.maps[0])

    def __getitem__(self, index: Any) -> "Embedding":
        return Embedding(tuple(each[index] for each in self.maps))

    def to(self, device: torch.device, dtype: torch.dtype) -> "Embedding":
        return Embedding(tuple(each.to(device, dtype) for each in self.maps))


@dataclass(frozen=True)
class MaskHead:
    """A last linear layer per token, whose output is contracted with features into logits.

    weight, bias: of each token's layer, the parameters themselves. hidden: input of the layers. features: upscaled
    image features at the resolution of the logits.
    """

    weight: Sequence[Float[Tensor, "c d"]]
    bias: Sequence[Float[Tensor, " c"]]
    hidden: Float[Tensor, "n t d"]
    features: Float[Tensor, "n c h w"]

    def output(self, token: int) -> Float[Tensor, "n c"]:
        """weight @ hidden + bias of one token."""
        return F.linear(self.hidden[:, token], self.weight[token], self.bias[token])


@dataclass(frozen=True)
class Decoded:
    """All that the mask decoder knows of each prompt; t tokens, token 0 the single-mask one.

    logits: the masks, sum over heads of (weight @ hidden + bias) . features. scores: predicted IoU in [0, 1].
    object_logit: that there is an object; None where the model does not predict it. tokens, iou_token: mask tokens and
    IoU token after the transformer. source: the image after it, at the embedding's resolution.
    """

    logits: Float[Tensor, "n t h w"]
    scores: Float[Tensor, "n t"]
    object_logit: Float[Tensor, " n"] | None
    tokens: Float[Tensor, "n t e"]
    iou_token: Float[Tensor, "n e"]
    source: Float[Tensor, "n e hh ww"]
    heads: tuple[MaskHead, ...]

    @property
    def known_object_logit(self) -> Float[Tensor, " n"]:
        """The object logit, NaN where the model does not predict it."""
        return torch.full_like(self.scores[:, 0], torch.nan) if self.object_logit is None else self.object_logit


@runtime_checkable
class PromptableModel(Protocol):
    """A network with its geometry; every tensor is float32 from the embedding on.

    name: by which it is loaded. digest: SHA-256 of the weights, by which fitted parts recognise their model. weights:
    their file, where it is known.
    """

    name: str
    digest: str
    weights: Path | None
    geometry: Geometry

    @property
    def image_size(self) -> int:
        """Side of the square input, pixels."""
        return self.geometry.image_size

    @property
    def device(self) -> torch.device: ...

    @property
    def width(self) -> int:
        """Channels of tokens, source and dense prompt."""
        ...

    @property
    def last_layers(self) -> tuple[nn.Linear, ...]:
        """Token 0's last linear layer of each head, in the order of `Decoded.heads`."""
        ...

    @property
    def no_mask(self) -> Float[Tensor, " c"]:
        """What the dense prompt is in every cell where no mask is given."""
        ...

    def encode(self, images: Float[Tensor, "n 3 s s"]) -> Embedding:
        """Inputs (`geometry.to_input`) to their features. Runs in the caller's autocast; the result is float32."""
        ...

    def decode(self, embedding: Embedding, prompts: Prompts, dense: Float[Tensor, "n c h w"] | None = None) -> Decoded:
        """One answer per prompt; `embedding` holds one image for all of them, or one per prompt.

        dense: takes the place of the prompt encoder's dense embedding, which then ignores the prompts' masks.
        """
        ...

    def mask_embedding(self, logits: Float[Tensor, "n s s"]) -> Float[Tensor, "n c h w"]:
        """The dense prompt that the model's own mask encoder makes of mask logits [n, mask_size, mask_size]."""
        ...

    def freeze(self) -> None:
        """No parameter of the network asks for a gradient any more."""
        ...


def contract(
    outputs: Sequence[Float[Tensor, "n k _"]], features: Sequence[Float[Tensor, "n _ *grid"]]
) -> Float[Tensor, "n k *grid"]:
    """Sum over heads of outputs [n, k, c] . features [n, c, ...]; c may differ between heads."""
    parts = [torch.unflatten(o @ f.flatten(2), 2, f.shape[2:]) for o, f in zip(outputs, features, strict=True)]
    return reduce(torch.add, parts)
