"""What trained parts see: one image, its objects, and the prompts of all steps, as a function of (image, epoch)."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from uncertsam.base.rng import torch_generator
from uncertsam.data.format import ImageRecord, Split
from uncertsam.models.layout import Size
from uncertsam.models.prompt_schedule import prompt_sequence, stack
from uncertsam.models.promptable import Embedding, PromptableModel
from uncertsam.models.prompts import Prompts
from uncertsam.models.store import Embeddings, encode


@dataclass(frozen=True)
class Example:
    """One image, perhaps mirrored: embedding, whole prompt sequences of n objects, their masks, generators by name.

    picture: reads the RGB image in [0, 255], mirrored where the example is, when a task needs its pixels.
    """

    dataset: str
    image_id: int
    embedding: Embedding
    prompts: Prompts
    masks: Bool[Tensor, "n h w"]
    generator: Callable[[str], torch.Generator]
    picture: Callable[[], UInt8[np.ndarray, "h w 3"]]

    @property
    def size(self) -> Size:
        """Height and width of the image, pixels."""
        return self.masks.shape[1:]


@runtime_checkable
class Named(Protocol):
    """An example of any task: an error names where it comes from."""

    @property
    def dataset(self) -> str: ...
    @property
    def image_id(self) -> int: ...


Item = TypeVar("Item", bound=Named)
Given = TypeVar("Given", bound=Named, covariant=True)


@runtime_checkable
class Examples(Protocol[Given]):
    """Example i of epoch e is a function of (seed, dataset, image, e) alone."""

    def __len__(self) -> int: ...
    def get(self, index: int, epoch: int) -> Given: ...


@runtime_checkable
class _Sequences(Protocol):
    """How prompts are drawn and images are mirrored; see `TrainParams`."""

    @property
    def objects(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def box_probability(self) -> float: ...
    @property
    def foreground_probability(self) -> float: ...
    @property
    def flip(self) -> float: ...


@dataclass(frozen=True)
class SplitExamples:
    """The images of one split of one dataset.

    A mirrored image is encoded when it is asked for: the encoder is not equivariant, so the stored embedding of the
    image cannot be mirrored instead. dtype: the encoder's.
    """

    model: PromptableModel
    store: Embeddings
    split: Split
    images: Sequence[ImageRecord]
    dataset: str
    params: _Sequences
    seed: int
    dtype: torch.dtype = torch.float32

    def __len__(self) -> int:
        return len(self.images)

    def get(self, index: int, epoch: int) -> Example:
        image = self.images[index]
        name = partial(torch_generator, self.seed, self.dataset, image.id, "train", epoch)
        draw = name("objects")
        masks = self.split.masks(image.id)
        chosen = torch.randperm(len(masks), generator=draw)[: self.params.objects].tolist()
        mirrored = bool(torch.rand(1, generator=draw) < self.params.flip)
        truth = torch.from_numpy(np.ascontiguousarray(masks[chosen][..., :: -1 if mirrored else 1]))
        sequences = [self._prompts(mask, name(f"prompts/{k}")) for k, mask in zip(chosen, truth, strict=True)]
        device, picture = self.model.device, partial(self._picture, image.id, mirrored)
        embedding = self._encoded(picture()) if mirrored else self.store.read(self.split, image.id)
        return Example(self.dataset, image.id, embedding, stack(sequences).to(device), truth.to(device), name, picture)

    def _prompts(self, mask: Bool[Tensor, "h w"], generator: torch.Generator) -> Prompts:
        knobs = self.params
        chances = (knobs.steps, knobs.box_probability, knobs.foreground_probability)
        return prompt_sequence(mask, self.model.geometry, generator, *chances)

    def _picture(self, image_id: int, mirrored: bool) -> UInt8[np.ndarray, "h w 3"]:
        return np.ascontiguousarray(self.split.pixels(image_id)[:, :: -1 if mirrored else 1])

    def _encoded(self, picture: UInt8[np.ndarray, "h w 3"]) -> Embedding:
        return encode(self.model, self.model.geometry.to_input(picture)[None], self.dtype)


@dataclass(frozen=True)
class Mixed:
    """Several sources one after the other, as one."""

    parts: Sequence[Examples[Example]]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def get(self, index: int, epoch: int) -> Example:
        for part in self.parts:
            if index < len(part):
                return part.get(index, epoch)
            index -= len(part)
        raise IndexError(index)


def parted(split: Split, held_out: float, most: int | None) -> tuple[list[ImageRecord], list[ImageRecord]]:
    """The images to train on and those to choose the best weights by, by the hash of each near-duplicates' group.

    At most `most` images in all. Where the share gives none, one group is held out, if there are two. Images without
    masks are left out.
    """
    images = sorted((i for i in split if split.annotations[i.id]), key=lambda i: _hash("most", i))[:most]
    kept = {i.cluster for i in images if _hash("held out", i) / 2**64 < held_out}
    groups = {i.cluster for i in images}
    if held_out and len(groups) > 1 and (not kept or kept == groups):
        kept = {min(images, key=lambda i: _hash("held out", i)).cluster}
    return [i for i in images if i.cluster not in kept], [i for i in images if i.cluster in kept]


def _hash(purpose: str, image: ImageRecord) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose} {image.cluster}".encode()).digest()[:8], "big")
