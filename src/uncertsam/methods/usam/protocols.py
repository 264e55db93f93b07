"""The two protocols: which mask stands for a prompt, what the heads learn, and what is scored against what.

    paper        the mask of the largest true IoU, and its token: only the truth can choose it
    deployable   the mask of the largest predicted IoU: the truth is in no score, only in what scores are judged by

own, dense: IoU of the protocol's mask for the central click, and for all clicks at once. best: the largest true IoU of
the masks for the central click, that of a person's choice. top: the IoU of SAM's choice.

    model         own of the smallest model -> own of the largest          gain: model_gap
    prompt        own -> dense                                             prompt_gap
    task          top -> best                                              task_gap
    segmentation  own -> 1
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.config.usam import Protocol
from uncertsam.methods.usam.entropies import ENTROPIES
from uncertsam.methods.usam.heads import Heads, Offset, head_names, latents_of
from uncertsam.methods.usam.tokens import Observed

PROTOCOLS: tuple[Protocol, ...] = ("paper", "deployable")
DECISIONS = ("model", "prompt", "task", "segmentation")
CENTRAL, ALL = 0, -1  # prompts
Values = Float[Tensor, "n m"]


@dataclass(frozen=True)
class Judged:
    """Objects, read by one protocol; every result has a column per model whose tokens are read."""

    observed: Observed
    protocol: Protocol

    @cached_property
    def mask(self) -> Int[Tensor, "n m p"]:
        """Which of the masks stands for each prompt."""
        by = self.observed.ious if self.protocol == "paper" else self.observed.scores
        return by.argmax(-1)

    @cached_property
    def top(self) -> Values:
        scores, ious = self.observed.scores[:, :, CENTRAL], self.observed.ious[:, :, CENTRAL]
        return _at(ious, scores.argmax(-1))

    @cached_property
    def best(self) -> Values:
        return self.observed.ious[:, :, CENTRAL].amax(-1)

    @cached_property
    def own(self) -> Values:
        return _at(self.observed.ious, self.mask)[:, :, CENTRAL]

    @cached_property
    def dense(self) -> Values:
        return _at(self.observed.ious, self.mask)[:, :, ALL]

    def latents(self, offset: Offset) -> Float[Tensor, "n m width"]:
        """Of the protocol's mask for the central click."""
        seen = self.observed
        return latents_of(
            seen.iou_token[:, :, CENTRAL], seen.mask_tokens[:, :, CENTRAL], self.mask[:, :, CENTRAL], offset
        )

    def targets(self) -> Float[Tensor, "n m heads"]:
        """In [0, 1], in the order of `heads.head_names`; gains are moved by 1/2 and cut off at +-1/2."""
        other = self.top if self.protocol == "paper" else self.best
        gap = (self.own[:, -1:] - self.own[:, :1]).expand_as(self.own)
        each = [own[:, None].expand_as(self.own) for own in self.own.unbind(1)]
        gaps = [0.5 + g for g in (gap, self.dense - self.own, self.best - self.top)]
        return torch.stack([*each, self.dense, other, *gaps], -1).clamp(0, 1)

    def outcomes(self) -> dict[str, tuple[Values, Values]]:
        """IoU before and after the replacement of each decision of `DECISIONS`."""
        first, last = (self.own[:, [at]].expand_as(self.own) for at in (0, -1))
        pairs = [(first, last), (self.own, self.dense), (self.top, self.best), (self.own, torch.ones_like(self.own))]
        return dict(zip(DECISIONS, pairs, strict=True))

    def scores(self, heads: Heads) -> dict[str, dict[str, Values]]:
        """decision -> score -> values: the larger, the sooner an object is to be replaced.

        usam: by expected IoUs. usam_direct: by the head of the gain; segmentation has none. sam_score: 1 - predicted
        IoU of the mask before the replacement. h_*: see `entropies`. Raises ValueError for heads of another number of
        models or of the other protocol.
        """
        entropies = self.observed.entropies[:, :, PROTOCOLS.index(self.protocol)].unbind(-1)
        shared = dict(zip(ENTROPIES, entropies, strict=True))
        usam, predicted = self._usam(heads), self.observed.scores[:, :, CENTRAL]
        found: dict[str, dict[str, Values]] = {}
        for decision in DECISIONS:
            mask = predicted.argmax(-1) if decision == "task" else self.mask[:, :, CENTRAL]
            found[decision] = usam[decision] | {"sam_score": 1 - _at(predicted, mask)} | shared
        return found

    def _usam(self, heads: Heads) -> dict[str, dict[str, Values]]:
        latents, (n, models) = self.latents(heads.offset), self.own.shape
        sizes = [name.removeprefix("iou_") for name in heads.names[:models]]
        if heads.names != head_names(sizes, self.protocol):
            raise ValueError(f"heads {heads.names} do not fit {models} models and the protocol {self.protocol!r}")
        read = {name: value.view(n, models) for name, value in heads.read(latents.flatten(0, 1)).items()}
        own = torch.stack([read[name][:, at] for at, name in enumerate(heads.names[:models])], 1)
        return usam_scores(read, own)


def usam_scores(read: Mapping[str, Tensor], own: Float[Tensor, "*n"]) -> dict[str, dict[str, Float[Tensor, "*n"]]]:
    """decision -> "usam" and "usam_direct", from what heads say by name. own: of the head of the tokens' own model."""
    names = list(read)
    task = own - read["iou_unsupervised"] if "iou_unsupervised" in read else read["iou_best_mask"] - own
    larger = read[names[-6]] - read[names[0]]  # see `head_names`
    gains = {"model": larger, "prompt": read["iou_dense_prompt"] - own, "task": task}
    found = {name: {"usam": gain, "usam_direct": read[f"{name}_gap"]} for name, gain in gains.items()}
    return found | {"segmentation": {"usam": 1 - own}}


def protocol_named(name: str) -> Protocol:
    """Raises UserError where there is no such protocol."""
    for protocol in PROTOCOLS:
        if protocol == name:
            return protocol
    raise UserError(f"There is no protocol {name!r}.", f"It is one of {', '.join(PROTOCOLS)}.")


def size_names(models: Sequence[str]) -> list[str]:
    """After what heads are called: "sam2.1_base_plus" -> "base_plus", or the whole name where two would be alike."""
    short = [name.partition("_")[2] or name for name in models]
    return short if len(set(short)) == len(short) else list(models)


def _at(values: Float[Tensor, "*n k"], place: Int[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    return torch.take_along_dim(values, place[..., None], -1)[..., 0]
