"""What every method is: (embedding, prompts) -> samples or moments of the logits; a measure maps those to U.

Probabilities are handled by their smaller side, min(P, 1 - P): float32 has no digits left near 1, and a confident
foreground must be told apart as finely as a confident background. All of it is float32, whatever the caller's autocast.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.inference._quadrature import expected_sigmoid
from uncertsam.models.promptable import Decoded, Embedding, PromptableModel
from uncertsam.models.prompts import Prompts
from uncertsam.models.select import TokenPolicy, select

TINY = 1e-7  # probabilities are clamped to [TINY, 1 - TINY], logits hence to +-16.12

Masks = Float[Tensor, "n h w"]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Inputs:
    """One image and what is asked about it.

    embedding: of that one image. prompts: one per object. image: gives the RGB array [h, w, 3] in [0, 255], for
    methods that change it. generator: the random numbers of one member of an ensemble, by its name; the same name
    gives the same numbers again, so they must not depend on which objects are asked about together.
    """

    model: PromptableModel
    embedding: Embedding
    prompts: Prompts
    image: Callable[[], Any]
    generator: Callable[[str], torch.Generator]

    @cached_property
    def decoded(self) -> Decoded:
        """The plain decoder's output, computed once for all methods that start from it."""
        return self.model.decode(self.embedding, self.prompts)

    def once(self, key: Hashable, make: Callable[[], Found]) -> Found:
        """What `make` gives: computed once for all methods that ask by the same key, about this image and prompts."""
        if key not in self._made:
            self._made[key] = make()
        found: Found = self._made[key]
        return found

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}


@dataclass(frozen=True)
class Samples:
    """Equally likely logits. iou: predicted quality of each mask.

    object_logit: that there is an object, NaN where the model does not predict it.
    chunks: gives them in portions over samples, anew on each call; all of them together may not fit in memory.
    """

    chunks: Callable[[], Iterable[Float[Tensor, "s n h w"]]]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]


@dataclass(frozen=True)
class Moments:
    """Logits that are normal, pixel by pixel. iou, object_logit: as in `Samples`."""

    mean: Float[Tensor, "n h w"]
    variance: Float[Tensor, "n h w"]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]


@dataclass(frozen=True)
class Combined:
    """Several ensembles, already summed up; `measures.combined` reads its U.

    logits: of the mean probability, in +-16.12. parts: named shares of U, which add up to it, or none.
    iou, object_logit: as in `Samples`.
    """

    logits: Float[Tensor, "n h w"]
    uncertainty: Float[Tensor, "n h w"]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]
    parts: Mapping[str, Float[Tensor, "n h w"]] = field(default_factory=dict)


Outcome = Samples | Moments | Combined


@dataclass(frozen=True)
class Measure:
    """U from an outcome and the logit of its mean probability. name: what it is, with its unit."""

    name: str
    of: Callable[[Outcome, Masks], Masks]


@runtime_checkable
class Method(Protocol):
    """Anything that turns inputs into an outcome, and says how its U is read off."""

    @property
    def measure(self) -> Measure: ...

    def __call__(self, inputs: Inputs) -> Outcome: ...


@runtime_checkable
class PerImage(Protocol):
    """A method of which a part, such as encoding changed pictures, is the same whatever is asked about an image."""

    def for_image(self, inputs: Inputs) -> Method:
        """Do that part, which must not depend on the prompts; the rest is the method for this image."""
        ...


@dataclass(frozen=True)
class Plain:
    """The model's own answer as a sample of one, with a measure."""

    policy: TokenPolicy
    measure: Measure

    def __call__(self, inputs: Inputs) -> Samples:
        selected = select(inputs.decoded, self.policy)
        return Samples(lambda: [selected.logits[None]], selected.iou, inputs.decoded.known_object_logit)


@dataclass(frozen=True)
class Answer:
    """Per object: logit of the mean probability in +-16.12, U, predicted IoU, object logit; on the inputs' device.

    parts: the shares of U by their source, where a method tells them.
    """

    logits: Float[Tensor, "n h w"]
    uncertainty: Float[Tensor, "n h w"]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]
    parts: Mapping[str, Float[Tensor, "n h w"]] = field(default_factory=dict)

    def cpu(self) -> "Answer":
        logits, uncertainty, iou, score = (values.cpu() for values in _fields(self))
        return Answer(logits, uncertainty, iou, score, {name: part.cpu() for name, part in self.parts.items()})


@torch.inference_mode()
def answer(method: Method, inputs: Inputs, objects: int | None = None) -> Answer:
    """Ask a method about every object, `objects` at a time (None: what was measured to be fastest on the device).

    Memory is bounded by that many objects; the result does not depend on it. What a method does once per image
    (`PerImage`) is done once. Raises ValueError without prompts.
    """
    with torch.autocast(inputs.model.device.type, enabled=False):
        ready = method.for_image(inputs) if isinstance(method, PerImage) else method
        return joined([read_off(ready(portion), ready.measure) for portion in portions(inputs, objects)])


def portions(inputs: Inputs, objects: int | None = None) -> Iterator[Inputs]:
    """The same image, asked about `objects` objects at a time (None: `objects_at_once`). ValueError without prompts.

    One after the other: what was decoded of a portion goes with it.
    """
    count, step = len(inputs.prompts), objects or objects_at_once(inputs.model)
    if not count:
        raise ValueError("no prompts: nothing to answer")
    for i in range(0, count, step):
        yield replace(inputs, prompts=inputs.prompts[i : i + step])


def joined(answers: Sequence[Answer]) -> Answer:
    """Answers about different objects as one."""
    parts = {name: torch.cat([one.parts[name] for one in answers]) for name in answers[0].parts}
    logits, uncertainty, iou, score = (torch.cat(each) for each in zip(*map(_fields, answers), strict=True))
    return Answer(logits, uncertainty, iou, score, parts)


def objects_at_once(model: PromptableModel) -> int:
    """How many objects to decode together: 2^21 input pixels' worth on a CPU, 2^25 elsewhere, hence memory's bound.

    Measured per object on one CPU core: at 1024 px 143 ms alone, 111 by twos, 216 by eights, whose features no longer
    fit in the cache; at 256 px 7.5 ms alone, 4.4 by sixteens.
    """
    most = 2**21 if model.device.type == "cpu" else 2**25
    return max(1, most // model.image_size**2)


def mean_logit(outcome: Outcome) -> Masks:
    """log(P / (1 - P)) of the mean probability P, which is clamped to [1e-7, 1 - 1e-7]."""
    if isinstance(outcome, Combined):
        return outcome.logits
    return logit_of_tail(*mean_tail(outcome))


def mean_tail(outcome: Samples | Moments) -> tuple[Masks, Masks]:
    """A sign per pixel, and the mean probability of the other sign."""
    return _tail_of_moments(outcome) if isinstance(outcome, Moments) else _tail_of_samples(outcome)


def logit_of_tail(sign: Masks, tail: Masks) -> Masks:
    """The logit of P from `mean_tail`'s pair, which is clamped to [1e-7, 1 - 1e-7]."""
    tail = tail.clamp(TINY, 1 - TINY)
    return sign * (torch.log1p(-tail) - torch.log(tail))


def read_off(outcome: Outcome, measure: Measure) -> Answer:
    """An outcome as the answer that it stands for."""
    logits = mean_logit(outcome)
    parts = outcome.parts if isinstance(outcome, Combined) else {}
    return Answer(logits, measure.of(outcome, logits), outcome.iou, outcome.object_logit, parts)


def _fields(answer: Answer) -> tuple[Tensor, ...]:
    return answer.logits, answer.uncertainty, answer.iou, answer.object_logit


def _tail_of_samples(samples: Samples) -> tuple[Masks, Masks]:
    """The sign of the logits (by the first portion) and the mean probability of the other sign."""
    chunks = iter(samples.chunks())
    first = next(chunks)
    sign = _sign(first.mean(0))
    total, count = torch.zeros_like(sign), 0
    for logits in chain([first], chunks):
        total += (logits * -sign).sigmoid_().sum(0)
        count += len(logits)
    return sign, total / count


def _tail_of_moments(moments: Moments) -> tuple[Masks, Masks]:
    return _sign(moments.mean), expected_sigmoid(-moments.mean.abs(), moments.variance)


def _sign(logits: Masks) -> Masks:
    return torch.where(logits < 0, -1.0, 1.0)
