"""Which of the decoder's masks is the answer: a choice that moves the numbers, so it is a parameter."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import BaseModel, PositiveFloat
from torch import Tensor

from uncertsam.models.promptable import Decoded

GATED = -1024.0  # SAM 2's logit for "there is no object"


class TokenPolicy(BaseModel, extra="forbid", frozen=True):
    """How one mask is picked from all tokens; the defaults are SAM 2's own rule.

    token: 0, the single-mask token; or "dynamic", SAM 2's rule: token 0 where it is stable, else the token of best
    predicted IoU. gate: replace the logits by -1024 where the object logit is not positive.
    stability_delta, stability_threshold: the dynamic rule's two numbers, at SAM 2's values.
    """

    token: Literal[0, "dynamic"] = "dynamic"
    gate: bool = True
    stability_delta: PositiveFloat = 0.05
    stability_threshold: PositiveFloat = 0.98


@dataclass(frozen=True)
class Selected:
    """One mask per prompt: its logits, the token that it comes from, that token's predicted IoU."""

    logits: Float[Tensor, "n h w"]
    token: Int[Tensor, " n"]
    iou: Float[Tensor, " n"]


def select(decoded: Decoded, policy: TokenPolicy) -> Selected:
    """Pick one mask per prompt."""
    token = torch.zeros_like(decoded.scores[:, 0], dtype=torch.long)
    if policy.token == "dynamic":
        best = 1 + decoded.scores[:, 1:].argmax(1)
        token = torch.where(_stable(decoded.logits[:, 0], policy), token, best)
    row = torch.arange(len(token), device=token.device)
    logits = decoded.logits[row, token]
    if policy.gate:
        logits = gate(logits, decoded.object_logit)
    return Selected(logits, token, decoded.scores[row, token])


def gate(
    logits: Float[Tensor, "*s n h w"], object_logit: Float[Tensor, " n"] | None, empty: float | Tensor = GATED
) -> Float[Tensor, "*s n h w"]:
    """`empty` everywhere in the masks of objects whose logit is not positive; no change without object logits."""
    return logits if object_logit is None else torch.where(object_logit[:, None, None] > 0, logits, empty)


def _stable(logits: Float[Tensor, "n h w"], policy: TokenPolicy) -> Bool[Tensor, " n"]:
    """Whether the mask hardly changes when its threshold moves by +-delta; an empty mask is stable."""
    flat = logits.flatten(1)
    inner, outer = (flat > policy.stability_delta).sum(1), (flat > -policy.stability_delta).sum(1)
    return torch.where(outer > 0, inner / outer, 1.0) >= policy.stability_threshold
