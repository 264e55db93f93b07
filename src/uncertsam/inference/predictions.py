"""One cell of the experiment: the answers of one method on one dataset.

index.parquet      row, image_id, mask_id, x0, y0, x1, y1 (the box, original pixels, inclusive), iou_predicted,
                   object_score
maps.safetensors   float32 [n, h, w], at the resolution of the decoder: logits, and what the measures of U are read off
                   beside them (see `metrics.uncertainty`); part_<name>, the shares of U, where a method tells them
meta.json          method, dataset, model and its hash, its layout, params, measure {name, label, unit}: the method's
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.base.files import written_aside
from uncertsam.base.rng import torch_generator
from uncertsam.compute.shards import cut
from uncertsam.data.format import Annotation, ImageRecord, Split
from uncertsam.inference._maps import MapWriter
from uncertsam.inference.algebra import Answer, Inputs, Method, answer
from uncertsam.models.layout import Layout
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.prompts import Prompts, box_of_mask, to_prompts
from uncertsam.models.store import Embeddings

COLUMNS = ["row", "image_id", "mask_id", "x0", "y0", "x1", "y1", "iou_predicted", "object_score"]
IMAGES = 16  # of a shard, for which a model is opened, or more: see `cut`

Shard = Sequence[int]  # the ids of some images
Found = tuple[Float[Tensor, "n 4"], Answer]  # of one image: the boxes that were asked, the answers on the CPU
Work = Callable[[Shard], list[Found]]
Each = Callable[[Work, Sequence[Shard]], Iterable[list[Found]]]


@dataclass(frozen=True)
class PredictionTask:
    """Which method on which data; `seed` feeds the generators of the members."""

    model: PromptableModel
    method: Method
    embeddings: Embeddings
    split: Split
    dataset: str
    seed: int

    @property
    def layout(self) -> Layout:
        return self.model.geometry

    @property
    def questions(self) -> "PromptSet":
        return PromptSet(self.model, self.embeddings, self.split, self.dataset, self.seed)

    def answers(self, images: Shard) -> list[Found]:
        """Boxes and answers of some images; what it answers of one does not depend on the others."""
        return [self._answered(self.split.images[image]) for image in images]

    def _answered(self, image: ImageRecord) -> Found:
        boxes = boxes_of(self.split, image)
        return boxes, answer(self.method, self.questions.of(image, boxes), every=True).cpu()


@runtime_checkable
class _Asked(Protocol):
    """A `PredictionTask`, or one that is told by names and opened where it is asked (`spec.TaskSpec`)."""

    @property
    def split(self) -> Split: ...
    @property
    def layout(self) -> Layout: ...

    def answers(self, images: Shard) -> list[Found]: ...


@dataclass(frozen=True)
class PromptSet:
    """Whatever is asked about the images of one dataset; the rest as in `PredictionTask`."""

    model: PromptableModel
    embeddings: Embeddings
    split: Split
    dataset: str
    seed: int

    def of(self, image: ImageRecord, boxes: Float[Tensor, "n 4"]) -> Inputs:
        """Boxes on one image."""
        return self.given(image, to_prompts(self.model.geometry, (image.height, image.width), boxes))

    def given(self, image: ImageRecord, prompts: Prompts) -> Inputs:
        """Any prompts on one image; the generators of the members know the image and nothing of the order of work."""
        return Inputs(
            model=self.model,
            embedding=self.embeddings.read(self.split, image.id),
            prompts=prompts.to(self.model.device),
            image=partial(self.split.pixels, image.id),
            generator=partial(torch_generator, self.seed, self.dataset, image.id),
        )


@dataclass(frozen=True)
class Written:
    """One cell to be: its folder and its meta.json."""

    out: Path
    meta: dict[str, Any]


Ask = Callable[[Inputs, int], Sequence[Answer]]  # an image and its id: one answer per cell


def predict_cell(cell: _Asked, out: Path, meta: dict[str, Any], each: Each = map) -> pd.DataFrame:
    """Answer every mask's clean box, write the cell to `out`, return its index.

    each: calls a pure function for every shard, one result after the other in their order (`Pool.stream`, say).
    Memory holds the maps of few shards at a time. Raises UserError where an answer is NaN or infinite, or the split has
    no masks.
    """
    images = iter(cell.split)
    with _writing(cell.split, cell.layout, [Written(out, meta)]) as (rows,):
        for shard in each(cell.answers, cut(tuple(cell.split.images), IMAGES)):
            for boxes, given in shard:
                rows.add(next(images), boxes, given)
    return rows.index()


def predict_cells(questions: PromptSet, ask: Ask, cells: Sequence[Written]) -> pd.DataFrame:
    """As `predict_cell`, for answers that are found together, in the order of `cells`; returns the last one's index."""
    split = questions.split
    with _writing(split, questions.model.geometry, cells) as several:
        for image in tqdm(split, "predict", disable=None):
            boxes = boxes_of(split, image)
            for rows, given in zip(several, ask(questions.of(image, boxes), image.id), strict=True):
                rows.add(image, boxes, given.cpu())
    return several[-1].index()


class _Rows:
    """One cell while it is written, image after image: in memory are a few numbers a mask, but no maps."""

    def __init__(self, split: Split, maps: MapWriter, meta: dict[str, Any]) -> None:
        self.split, self.maps, self.meta = split, maps, dict(meta)
        self._rows: list[list[float]] = []

    def add(self, image: ImageRecord, boxes: Float[Tensor, "n 4"], given: Answer) -> None:
        """The answers about all masks of the split's next image. Raises UserError where one is NaN or infinite."""
        maps = _maps(given)
        if not all(torch.isfinite(values).all() for values in maps.values()):
            about = f"{self.meta['method']} gave NaN or infinity on {self.meta['dataset']}."
            raise UserError(about, "Check its parameters.")
        self.maps.add(maps)
        self.meta["measure"] = {name: getattr(given.measure, name) for name in ("name", "label", "unit")}
        self._rows += _rows(self.split.annotations[image.id], boxes, given)

    def index(self) -> pd.DataFrame:
        return pd.DataFrame([[i, *row] for i, row in enumerate(self._rows)], columns=COLUMNS)


@contextmanager
def _writing(split: Split, layout: Layout, cells: Sequence[Written]) -> Iterator[list[_Rows]]:
    """Cells that are there, whole, after the block, unless it fails."""
    masks = sum(len(split.annotations[image.id]) for image in split)
    if not masks:
        mend = "Leave the dataset out of `datasets`, or run the preprocess stage again."
        raise UserError(f"{split.root} has no masks to ask about.", mend)
    with ExitStack() as open_:
        folders = [open_.enter_context(written_aside(cell.out)) for cell in cells]
        for folder in folders:
            folder.mkdir(parents=True)
        writers = [open_.enter_context(MapWriter(folder / "maps.safetensors", masks)) for folder in folders]
        several = [_Rows(split, maps, cell.meta) for maps, cell in zip(writers, cells, strict=True)]
        yield several
        for folder, rows in zip(folders, several, strict=True):
            rows.index().to_parquet(folder / "index.parquet", index=False)
            meta = rows.meta | {"layout": asdict(layout)}
            (folder / "meta.json").write_text(json.dumps(meta, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def boxes_of(split: Split, image: ImageRecord) -> Float[Tensor, "n 4"]:
    """The clean box of every mask of an image, in its pixels."""
    return torch.stack([box_of_mask(torch.from_numpy(mask)) for mask in split.masks(image.id)])


def _rows(annotations: list[Annotation], boxes: Float[Tensor, "n 4"], found: Answer) -> Iterator[list[float]]:
    for annotation, box, iou, score in zip(annotations, boxes, found.iou, found.object_logit, strict=True):
        yield [annotation.image_id, annotation.id, *map(float, box), float(iou), float(score)]


def _maps(found: Answer) -> dict[str, Float[Tensor, "n h w"]]:
    return {"logits": found.logits, **found.maps, **{f"part_{name}": values for name, values in found.parts.items()}}
