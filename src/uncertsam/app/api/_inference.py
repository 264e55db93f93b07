"""Prompts on a picture to answers: the pipeline's own algebra, one picture at a time, with a clock."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import torch
from jaxtyping import Float

from uncertsam.app.api._encoded_image import EncodedImage
from uncertsam.app.api.prompts import Question
from uncertsam.base.errors import UserError
from uncertsam.inference.algebra import Answer, Inputs, Maps, Method, PerImage, answer
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.prompts import Prompts

Low = Float[Any, "h w"]


@dataclass(frozen=True)
class _Reply:
    """One object's answer as `Prediction` holds it."""

    logits: Low
    low_uncertainty: Low
    low_parts: dict[str, Low]
    iou: float
    object_logit: float | None
    timings: dict[str, float]


def ask(
    model: PromptableModel,
    seen: EncodedImage,
    asked: Sequence[Question],
    name: str,
    method: Method,
    generator: Callable[[str], torch.Generator],
    decompose: bool,
) -> list[_Reply]:
    """One reply per question; all questions have as many slots. What the method does once per picture is kept in it.

    Raises UserError where the method gives NaN or infinity.
    """
    if not asked:
        return []
    prompts = _together([one.prompts(seen.size, model.geometry) for one in asked]).to(model.device)
    inputs = Inputs(model, seen.embedding, prompts, seen.picture, generator)
    ready, prepared = _ready(seen, name, method, inputs)
    begun = time.perf_counter()
    found = answer(ready, inputs, every=decompose)
    parts = found.decomposed() if decompose else {}
    for values in (found.logits, found.uncertainty, *parts.values()):
        if not torch.isfinite(values).all():
            raise UserError(f"{name} gave NaN or infinity.", "Check its parameters and its fitted part.")
    seconds = {"encode": seen.seconds, "prepare": prepared, "answer": (time.perf_counter() - begun) / len(asked)}
    return list(_replies(found, parts, seconds))


def _together(prompts: Sequence[Prompts]) -> Prompts:
    """One after the other; all of them have masks, or none."""
    masks = [one.masks for one in prompts if one.masks is not None]
    points, labels = torch.cat([one.points for one in prompts]), torch.cat([one.labels for one in prompts])
    return Prompts(points, labels, torch.cat(masks) if masks else None)


@torch.inference_mode()
def _ready(seen: EncodedImage, name: str, method: Method, inputs: Inputs) -> tuple[Method, float]:
    """The method for this picture, and the seconds that it took to get there; none where it was there already."""
    if not isinstance(method, PerImage):
        return method, 0.0
    if name in seen.ready:
        return seen.ready[name], 0.0
    begun = time.perf_counter()
    with torch.autocast(inputs.model.device.type, enabled=False):
        seen.ready[name] = method.for_image(inputs)
    return seen.ready[name], time.perf_counter() - begun


def _replies(found: Answer, parts: Maps, seconds: dict[str, float]) -> Iterator[_Reply]:
    logits, uncertainty = found.logits.cpu().numpy(), found.uncertainty.cpu().numpy()
    named = {name: part.cpu().numpy() for name, part in parts.items()}
    for i, (iou, score) in enumerate(zip(found.iou.tolist(), found.object_logit.tolist(), strict=True)):
        low = {name: part[i] for name, part in named.items()}
        yield _Reply(logits[i], uncertainty[i], low, iou, None if isnan(score) else score, seconds)
