"""What every method is: (embedding, prompts) -> samples or moments of the logits, of which measures read U.

Probabilities are handled by their smaller side, min(P, 1 - P): float32 has no digits left near 1, and a confident
foreground must be told apart as finely as a confident background. All of it is float32, whatever the caller's autocast.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.inference._quadrature import expected_sigmoid, spread
from uncertsam.inference._spread import SPREAD, sign_of, summed
from uncertsam.inference.measures import entropy
from uncertsam.metrics.uncertainty import EXPECTED_ENTROPY, MUTUAL_INFORMATION, PREDICTIVE_ENTROPY, Measure
from uncertsam.models.promptable import Decoded, Embedding, PromptableModel
from uncertsam.models.prompts import Prompts
from uncertsam.models.select import TokenPolicy, select

TINY = 1e-7  # probabilities are clamped to [TINY, 1 - TINY], logits hence to +-16.12

Masks = Float[Tensor, "n h w"]
Maps = Mapping[str, Masks]


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


@dataclass(frozen=True)
class Samples:
    """Equally likely logits. iou: predicted quality of each mask.

    object_logit: that there is an object, NaN where the model does not predict it.
    chunks: gives them in portions over samples, anew on each call; all of them together may not fit in memory.
    maps: what the method alone knows, by the name of a measure. parts: named shares of U, which add up to it, or none.
    """

    chunks: Callable[[], Iterable[Float[Tensor, "s n h w"]]]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]
    maps: Maps = field(default_factory=dict)
    parts: Maps = field(default_factory=dict)


@dataclass(frozen=True)
class Moments:
    """Logits that are normal, pixel by pixel. iou, object_logit: as in `Samples`."""

    mean: Float[Tensor, "n h w"]
    variance: Float[Tensor, "n h w"]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]


@dataclass(frozen=True)
class Combined:
    """Several ensembles, already summed up; uncertainty: by the method's measure.

    logits: of the mean probability, in +-16.12. parts, iou, object_logit: as in `Samples`.
    """

    logits: Float[Tensor, "n h w"]
    uncertainty: Float[Tensor, "n h w"]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]
    parts: Maps = field(default_factory=dict)


Outcome = Samples | Moments | Combined


@runtime_checkable
class Method(Protocol):
    """Anything that turns inputs into an outcome, and says which measure is its U."""

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
    """The model's own answer as a sample of one. own: the map of the measure, from the logits, where it has one."""

    policy: TokenPolicy
    measure: Measure
    own: Callable[[Masks], Masks] | None = None

    def __call__(self, inputs: Inputs) -> Samples:
        selected = select(inputs.decoded, self.policy)
        maps = {self.measure.name: self.own(selected.logits)} if self.own else {}
        return Samples(lambda: [selected.logits[None]], selected.iou, inputs.decoded.known_object_logit, maps)


@dataclass(frozen=True)
class Answer:
    """Per object: logit of the mean probability in +-16.12, predicted IoU, object logit; on the inputs' device.

    measure: which U is. maps: what U and further measures are read off, beside the logits. parts: the shares of U by
    their source, where a method tells them.
    """

    logits: Float[Tensor, "n h w"]
    iou: Float[Tensor, " n"]
    object_logit: Float[Tensor, " n"]
    measure: Measure
    maps: Maps = field(default_factory=dict)
    parts: Maps = field(default_factory=dict)

    @cached_property
    def uncertainty(self) -> Float[Tensor, "n h w"]:
        """U."""
        return self.by(self.measure)

    def by(self, measure: Measure) -> Float[Tensor, "n h w"]:
        """U by another measure. Raises KeyError where the answer does not support it."""
        maps = {name: values.cpu().numpy() for name, values in {"logits": self.logits, **self.maps}.items()}
        return torch.as_tensor(measure.of(maps)).to(self.logits)

    def decomposed(self) -> dict[str, Float[Tensor, "n h w"]]:
        """What U is made of: its parts; of a predictive entropy what the samples share, and their disagreement."""
        if self.parts or self.measure != PREDICTIVE_ENTROPY or EXPECTED_ENTROPY.name not in self.maps:
            return dict(self.parts)
        return {measure.name: self.by(measure) for measure in (EXPECTED_ENTROPY, MUTUAL_INFORMATION)}

    def cpu(self) -> "Answer":
        return self._each(Tensor.cpu)

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Answer":
        maps, parts = ({name: change(m) for name, m in of.items()} for of in (self.maps, self.parts))
        return Answer(change(self.logits), change(self.iou), change(self.object_logit), self.measure, maps, parts)


@torch.inference_mode()
def answer(method: Method, inputs: Inputs, objects: int | None = None, every: bool = False) -> Answer:
    """Ask a method about every object, `objects` at a time (None: what was measured to be fastest on the device).

    every: for every measure that the outcome supports, not for the method's own alone. Memory is bounded by that many
    objects; the result does not depend on it. What a method does once per image (`PerImage`) is done once. Raises
    ValueError without prompts.
    """
    with torch.autocast(inputs.model.device.type, enabled=False):
        ready = method.for_image(inputs) if isinstance(method, PerImage) else method
        return joined([read_off(ready(portion), ready.measure, every) for portion in portions(inputs, objects)])


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
    first = answers[0]
    logits, iou, score = (torch.cat([getattr(one, f) for one in answers]) for f in ("logits", "iou", "object_logit"))
    maps = {name: torch.cat([one.maps[name] for one in answers]) for name in first.maps}
    parts = {name: torch.cat([one.parts[name] for one in answers]) for name in first.parts}
    return Answer(logits, iou, score, first.measure, maps, parts)


def objects_at_once(model: PromptableModel) -> int:
    """How many objects to decode together: 2^21 input pixels' worth on a CPU, 2^25 elsewhere, hence memory's bound.

    Measured per object on one CPU core: at 1024 px 143 ms alone, 111 by twos, 216 by eights, whose features no longer
    fit in the cache; at 256 px 7.5 ms alone, 4.4 by sixteens.
    """
    most = 2**21 if model.device.type == "cpu" else 2**25
    return max(1, most // model.image_size**2)


def mean_logit(outcome: Outcome) -> Masks:
    """log(P / (1 - P)) of the mean probability P, which is clamped to [1e-7, 1 - 1e-7]."""
    return outcome.logits if isinstance(outcome, Combined) else logit_of_tail(*mean_tail(outcome))


def mean_tail(outcome: Samples | Moments) -> tuple[Masks, Masks]:
    """A sign per pixel, and the mean probability of the other sign."""
    return _tail_of_moments(outcome) if isinstance(outcome, Moments) else summed(outcome.chunks(), False)[:2]


def logit_of_tail(sign: Masks, tail: Masks) -> Masks:
    """The logit of P from `mean_tail`'s pair, which is clamped to [1e-7, 1 - 1e-7]."""
    tail = tail.clamp(TINY, 1 - TINY)
    return sign * (torch.log1p(-tail) - torch.log(tail))


def read_off(outcome: Outcome, measure: Measure, every: bool = False) -> Answer:
    """An outcome as the answer that it stands for. every: as in `answer`.

    Raises ValueError where the logits are not those of as many objects as there are predicted IoUs, or where a
    `Combined` has a measure with a formula, which would not read its map.
    """
    found = _read_off(outcome, measure, every)
    if len(found.logits) != len(found.iou):
        shapes = f"logits of {len(found.logits)} objects and {len(found.iou)} predicted IoUs"
        raise ValueError(f"a method returned {shapes}; samples are [samples, objects, height, width]")
    return found


def _read_off(outcome: Outcome, measure: Measure, every: bool) -> Answer:
    if isinstance(outcome, Combined):
        if measure.formula:
            raise ValueError(f"{measure.name} is computed by a formula: a Combined needs a Measure of its own")
        maps = {measure.name: outcome.uncertainty}
        return Answer(outcome.logits, outcome.iou, outcome.object_logit, measure, maps, outcome.parts)
    wanted = bool({*measure.inputs} & {*SPREAD})
    if isinstance(outcome, Moments):
        logits = mean_logit(outcome)
        return Answer(
            logits, outcome.iou, outcome.object_logit, measure, _spread(outcome, logits) if every or wanted else {}
        )
    sign, tail, apart, count = summed(outcome.chunks(), every or wanted)
    maps = {**outcome.maps, **(apart if count > 1 or wanted else {})}  # a single sample has nothing to differ from
    return Answer(logit_of_tail(sign, tail), outcome.iou, outcome.object_logit, measure, maps, outcome.parts)


def _spread(moments: Moments, logits: Masks) -> dict[str, Masks]:
    """The maps of `SPREAD`. Small information would be lost between two approximations, so the entropy follows it."""
    information, variance = spread(moments.mean, moments.variance)
    expected = (entropy(logits) - information).clamp(min=0)
    return dict(zip(SPREAD, (expected, variance, moments.variance), strict=True))


def _tail_of_moments(moments: Moments) -> tuple[Masks, Masks]:
    return sign_of(moments.mean), expected_sigmoid(-moments.mean.abs(), moments.variance)
