"""Rounds of clicking: ask, place a click with the label of the truth there, ask again; all masks of an image at once.

Earlier answers are not fed back. A click's random numbers come from (seed, dataset, image, mask, round), so that every
method has the same random clicks, and neither order nor number of workers matters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from uncertsam.base.rng import numpy_generator
from uncertsam.config.clicking import Clicking
from uncertsam.data.format import ImageRecord
from uncertsam.experiments.clicking.policies import Click, anywhere, around, error_centre, most_unsure, places
from uncertsam.experiments.clicking.table import GUIDED, ORACLE, POLICIES
from uncertsam.inference.algebra import Answer, Method, answer
from uncertsam.inference.predictions import PromptSet
from uncertsam.metrics.ranking import ratio
from uncertsam.models.mask_points import centre, corners
from uncertsam.models.prompts import BACKGROUND, FOREGROUND, PAD, Prompts, to_prompts

Row = tuple[str, int, int, str, str, int, float]  # as `table.COLUMNS`


@dataclass(frozen=True)
class Clicked:
    """One object and the clicks so far; all in the picture's pixels.

    box: inclusive (x0, y0, x1, y1). counted: pixels that are not void. region: where guided and random clicks may go.
    reach: no click comes so near to an earlier one. key: what its random numbers come from.
    """

    truth: Bool[np.ndarray, "h w"]
    box: Float[np.ndarray, " 4"]
    counted: Bool[np.ndarray, "h w"]
    region: Bool[np.ndarray, "h w"]
    reach: int
    key: tuple[int, str, int, int]
    clicks: tuple[Click | None, ...] = ()

    def then(self, click: Click | None) -> "Clicked":
        """With one more; None: there was nothing to click at."""
        return replace(self, clicks=(*self.clicks, click))

    def next(self, policy: str, logits: Float[np.ndarray, "h w"], unsure: Float[np.ndarray, "h w"]) -> Click | None:
        """Where a policy clicks, shown the last answer at the picture's size."""
        done = [click for click in self.clicks if click is not None]
        if policy == ORACLE:
            wrong = self.counted & ((logits > 0) != self.truth)
            return error_centre(places(wrong, done, self.reach), logits > 0, self.truth)
        open_ = places(self.counted & self.region, done, self.reach)
        rng = numpy_generator(*self.key, policy, len(self.clicks))
        return most_unsure(open_, unsure, rng) if policy == GUIDED else anywhere(open_, rng)

    def iou(self, logits: Float[np.ndarray, "h w"]) -> float:
        """Of the mask logit > 0, over the pixels that count."""
        mask, truth = (logits > 0) & self.counted, self.truth & self.counted
        return float(ratio(np.count_nonzero(mask & truth), np.count_nonzero(mask | truth)))

    def label(self, click: Click) -> int:
        """What the truth says there."""
        return FOREGROUND if self.truth[click[1], click[0]] else BACKGROUND


@dataclass(frozen=True)
class ClickingTask(PromptSet):
    """One dataset's chosen masks and what is needed to answer them; `seed` feeds members and random clicks."""

    knobs: Clicking
    policies: Sequence[str] = field(default=POLICIES)

    def rows(self, image: ImageRecord, methods: Mapping[str, Method]) -> Iterator[Row]:
        """Every mask of an image after 0 clicks and after each of them, by every method and policy."""
        first, ids = self.objects(image), [a.id for a in self.split.annotations[image.id]]
        for method, ask in methods.items():
            begun = self.ask(ask, image, first)
            for policy in self.policies:
                objects, found = first, begun
                for count in range(self.knobs.clicks + 1):
                    maps = list(self.large(found, image))
                    for mask_id, thing, (logits, _) in zip(ids, objects, maps, strict=True):
                        yield self.dataset, image.id, mask_id, method, policy, count, thing.iou(logits)
                    if count < self.knobs.clicks:
                        objects = [o.then(o.next(policy, *shown)) for o, shown in zip(objects, maps, strict=True)]
                        found = self.ask(ask, image, objects)

    def objects(self, image: ImageRecord) -> list[Clicked]:
        """The masks of an image before any click that is counted."""
        counted = ~self.split.ignored(image.id)
        boxed, reach = self.knobs.start == "box", round(self.knobs.apart * float(np.hypot(*counted.shape)))
        found = []
        for annotation, truth in zip(self.split.annotations[image.id], self.split.masks(image.id), strict=True):
            region = around(truth) if boxed else np.ones_like(truth)
            key = (self.seed, self.dataset, image.id, annotation.id)
            start = () if boxed else (centre(truth)[0],)
            box = corners(truth).reshape(4).astype(np.float32)
            found.append(Clicked(truth, box, counted, region, reach, key, start))
        return found

    def ask(self, method: Method, image: ImageRecord, objects: Sequence[Clicked]) -> Answer:
        """A method's answers to the box (where it starts with one) and the clicks of every object."""
        return answer(method, self.given(image, self.prompts(image, objects))).cpu()

    def prompts(self, image: ImageRecord, objects: Sequence[Clicked]) -> Prompts:
        """In the pixels of the model's input; a click that there was none of is padding."""
        points = torch.tensor([[click or (0, 0) for click in o.clicks] for o in objects]).reshape(len(objects), -1, 2)
        labels = torch.tensor(
            [[PAD if click is None else o.label(click) for click in o.clicks] for o in objects], dtype=torch.int64
        )
        boxes = torch.from_numpy(np.stack([o.box for o in objects])) if self.knobs.start == "box" else None
        size = image.height, image.width
        return to_prompts(self.model.geometry, size, boxes, points.float(), labels.reshape(len(objects), -1))

    def large(
        self, found: Answer, image: ImageRecord
    ) -> Iterator[tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]]:
        """Logits and uncertainty of every object at the picture's size."""
        size, to_picture = (image.height, image.width), self.model.geometry.to_picture
        for logits, unsure in zip(found.logits.numpy(), found.uncertainty.numpy(), strict=True):
            yield to_picture(logits, size), to_picture(unsure, size)
