"""What the token store holds of a dataset: each image is encoded once per model and view, whatever its objects.

Clicks are drawn from the truth (the paper). For deployable entropies only the first of them, the person's, is; the
others are drawn from each model's own mask for that click.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from uncertsam.base.rng import numpy_generator
from uncertsam.config.usam import ExtractTokens
from uncertsam.data.format import ImageRecord, Split
from uncertsam.inference.algebra import objects_at_once
from uncertsam.inference.predictions import Shard
from uncertsam.methods.usam.clicks import central, changed, scattered
from uncertsam.methods.usam.entropies import EntropyGrid
from uncertsam.methods.usam.protocols import PROTOCOLS
from uncertsam.methods.usam.tokens import Observed
from uncertsam.metrics.ranking import ratio
from uncertsam.models.promptable import Embedding, PromptableModel
from uncertsam.models.prompts import FOREGROUND, to_prompts
from uncertsam.models.store import DTYPES, Embeddings, encode

Clicks = Float[Tensor, "n k 2"]  # x, y in pixels of the picture


@dataclass(frozen=True)
class Extraction:
    """models: the smallest first, each with its embeddings of the split. seed: of the random clicks and views.

    Raises ValueError where the models' tokens are not of one width.
    """

    models: Sequence[PromptableModel]
    embeddings: Sequence[Embeddings]
    split: Split
    dataset: str
    params: ExtractTokens
    seed: int

    def __post_init__(self) -> None:
        if len({model.width for model in self.models}) > 1:
            raise ValueError(f"tokens of {[model.name for model in self.models]} are not of one width")

    @torch.inference_mode()
    def observed(self, images: Shard) -> Observed | None:
        """All objects of some images, on the CPU (None: there are none); those of one do not depend on the others."""
        parts = [part for image in images for part in self._of_image(self.split.images[image])]
        return Observed.joined(parts) if parts else None

    def _of_image(self, image: ImageRecord) -> Iterator[Observed]:
        """A few objects at a time; the embeddings of all models and views are held meanwhile."""
        annotations = self.split.annotations[image.id]
        if not annotations:
            return
        views, counted = self._views(image), ~self.split.ignored(image.id)
        step = min(map(objects_at_once, self.models))
        for start in range(0, len(annotations), step):
            several = annotations[start : start + step]
            names = [(image.id, annotation.id) for annotation in several]
            yield _Objects(self, names, np.stack([self.split.mask(a) for a in several]), counted).observed(views)

    def _views(self, image: ImageRecord) -> list[list[Embedding]]:
        """By model: the embedding of the clean picture, then of the changed ones."""
        pixels = self.split.pixels(image.id)
        pictures = [changed(pixels, view, self.generator(image.id, view)) for view in self.params.views]
        return [
            [store.read(self.split, image.id)]
            + [encode(m, m.geometry.to_input(p)[None], DTYPES[self.params.dtype]) for p in pictures]
            for m, store in zip(self.models, self.embeddings, strict=True)
        ]

    def generator(self, image_id: int, *member: str | int) -> np.random.Generator:
        return numpy_generator(self.seed, self.dataset, image_id, "usam", *member)


@dataclass(frozen=True)
class _Answers:
    """Of one model about n objects, asked by p prompts: what is kept of a prompt, and the masks' logits."""

    iou_token: Float[Tensor, "n p d"]
    mask_tokens: Float[Tensor, "n p t d"]
    scores: Float[Tensor, "n p k"]
    logits: Float[Tensor, "n p k h w"]


@dataclass(frozen=True)
class _Objects:
    """Some objects of one image. ids: of the image and of each mask. counted: pixels that are not void."""

    task: Extraction
    ids: Sequence[tuple[int, int]]
    truth: Bool[np.ndarray, "n h w"]
    counted: Bool[np.ndarray, "h w"]

    def observed(self, views: Sequence[Sequence[Embedding]]) -> Observed:
        """views: embeddings by model and view."""
        first = torch.from_numpy(np.stack([central(mask) for mask in self.truth]))[:, None]
        clicks = self._with_scattered(first, self.truth, "truth")
        grids = [EntropyGrid(len(views)) for _ in PROTOCOLS]
        rows = [self._by_model(at, views[at], clicks, grids) for at in range(len(views))]
        parts = (torch.stack(part, 1) for part in zip(*rows, strict=True))
        entropies = torch.stack([grid.entropies() for grid in grids], 2)
        return Observed(*torch.tensor(self.ids).unbind(1), *(part.cpu() for part in (*parts, entropies)))

    def _by_model(
        self, at: int, views: Sequence[Embedding], clicks: Clicks, grids: Sequence[EntropyGrid]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """IoU tokens, mask tokens, scores and IoUs of every prompt; all answers go into the protocols' grids."""
        model, (paper, deployable) = self.task.models[at], grids
        single, together = (self._answers(model, views[0], asked) for asked in (clicks[:, :, None], clicks[:, None]))
        ious = self._ious(model, single)
        proposed = self._with_scattered(clicks[:, :1], self._top_masks(model, single), model.name)
        for view, embedding in enumerate(views):
            answers = self._answers(model, embedding, clicks[:, :, None]) if view else single
            self._fill(paper, (at, view), answers, ious)
            answers = self._answers(model, embedding, proposed[:, :, None])
            self._fill(deployable, (at, view), answers, answers.scores)
        kept = ((getattr(one, name) for one in (single, together)) for name in ("iou_token", "mask_tokens", "scores"))
        iou_token, mask_tokens, scores = (torch.cat([*parts], 1) for parts in kept)
        return iou_token, mask_tokens, scores, torch.cat([ious, self._ious(model, together)], 1)

    def _answers(self, model: PromptableModel, embedding: Embedding, clicks: Float[Tensor, "n p c 2"]) -> _Answers:
        """Prompts of c clicks each, decoded as many at a time as fit in memory."""
        labels, size, most = torch.full(clicks.shape[:3], FOREGROUND), self.counted.shape, objects_at_once(model)
        asked = to_prompts(model.geometry, size, points=clicks.flatten(0, 1), labels=labels.flatten(0, 1))
        asked = asked.to(model.device)
        several = [model.decode(embedding, asked[i : i + most]) for i in range(0, len(asked), most)]
        parts = zip(*((d.iou_token, d.tokens, d.scores[:, 1:], d.logits[:, 1:]) for d in several), strict=True)
        return _Answers(*(torch.unflatten(torch.cat(part), 0, clicks.shape[:2]) for part in parts))

    def _fill(self, grid: EntropyGrid, place: tuple[int, int], answers: _Answers, by: Float[Tensor, "n p k"]) -> None:
        """Maps in cells that the first model's masks share. by: the larger, the better the mask."""
        model, side = self.task.models[place[0]], self.task.models[0].geometry.mask_size
        for prompt, logits in enumerate(answers.logits.unbind(1)):
            square = model.geometry.to_square(logits, self.counted.shape, side)
            grid.add((*place, prompt), square, answers.scores[:, prompt], by[:, prompt].argmax(1))

    def _ious(self, model: PromptableModel, answers: _Answers) -> Float[Tensor, "n p k"]:
        shape = answers.scores.shape
        found = [
            self._iou(self._mask(model, logits), truth)
            for several, truth in zip(answers.logits.flatten(1, 2), self.truth, strict=True)
            for logits in several
        ]
        return torch.tensor(found, device=model.device).view(shape)

    def _iou(self, mask: Bool[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> float:
        """0 where mask and truth are both empty or void."""
        both, either = (np.count_nonzero(pixels & self.counted) for pixels in (mask & truth, mask | truth))
        return float(ratio(both, either, empty=0.0))

    def _top_masks(self, model: PromptableModel, answers: _Answers) -> list[Bool[np.ndarray, "h w"]]:
        """For the first prompt, the masks of the largest predicted IoU."""
        top = answers.scores[:, 0].argmax(1).tolist()
        return [self._mask(model, logits[k]) for logits, k in zip(answers.logits[:, 0], top, strict=True)]

    def _mask(self, model: PromptableModel, logits: Float[Tensor, "hh ww"]) -> Bool[np.ndarray, "h w"]:
        return model.geometry.to_picture(logits.cpu().numpy(), self.counted.shape) > 0

    def _with_scattered(
        self, first: Float[Tensor, "n 1 2"], masks: Iterable[Bool[np.ndarray, "h w"]], name: str
    ) -> Clicks:
        """The first clicks, then random ones on the masks; on an empty mask the first one again."""
        count = self.task.params.clicks
        rows = [
            scattered(mask, count, self.task.generator(*ids, name)) if mask.any() else np.repeat(one.numpy(), count, 0)
            for ids, mask, one in zip(self.ids, masks, first, strict=True)
        ]
        return torch.cat([first, torch.from_numpy(np.stack(rows))], 1)
