"""The embeddings of a dataset: encoded once, in shards that are read by image; or streamed, when disk is dearer.

index.json             {"model_sha256", "dtype", "stream", "images": {"<split>": {"<image id>": [shard, row]}}}
00000.safetensors      map0, map1, ...: the embedding's maps [n c h w]
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.files import written_aside
from uncertsam.data.format import Split, read_split, splits_of
from uncertsam.models.promptable import Embedding, PromptableModel
from uncertsam.models.spec import ModelSpec, Spec

AGAIN = "Run the encode stage again."
INDEX = "index.json"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@runtime_checkable
class Embeddings(Protocol):
    """Whatever gives the embedding of an image of a split: a store, or the model itself."""

    def read(self, split: Split, image_id: int) -> Embedding:
        """Float32 features of one image, on the model's device."""
        ...


class StreamedEmbeddings:
    """No store: each image is encoded when it is asked for."""

    def __init__(self, model: PromptableModel, dtype: torch.dtype) -> None:
        self.model, self.dtype = model, dtype

    def read(self, split: Split, image_id: int) -> Embedding:
        image = self.model.geometry.to_input(split.pixels(image_id))
        return encode(self.model, image[None], self.dtype)


class _StoredEmbeddings:
    """Reads single rows out of the shards that `encode_dataset` wrote."""

    def __init__(self, folder: Path, index: dict[str, Any], device: torch.device) -> None:
        self.folder, self.index, self.device = folder, index, device

    def read(self, split: Split, image_id: int) -> Embedding:
        shard, row = self._place(split.root.name, image_id)
        path = self.folder / f"{shard:05d}.safetensors"
        try:
            with safe_open(path, "pt") as file:
                maps = [file.get_slice(f"map{i}")[row : row + 1] for i in range(len(file.keys()))]
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} cannot be read ({error}).", AGAIN) from None
        return Embedding(tuple(maps)).to(self.device, torch.float32)

    def _place(self, split: str, image_id: int) -> tuple[int, int]:
        try:
            shard, row = self.index["images"][split][str(image_id)]
            return int(shard), int(row)
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{self.folder / INDEX} has no image {image_id} of {split}.", AGAIN) from None


def encode(model: PromptableModel, images: Tensor, dtype: torch.dtype) -> Embedding:
    """Encode a batch without gradients, the encoder in `dtype`; the result is float32 (the precision rule)."""
    with torch.inference_mode(), torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        return model.encode(images.to(model.device))


def open_embeddings(folder: Path, model: PromptableModel) -> Embeddings:
    """The embeddings written for this model. Raises UserError where they are missing, broken or another model's."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        digest, stream, dtype = index["model_sha256"], index["stream"], DTYPES[index["dtype"]]
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", "Run the encode stage.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is broken ({error!r}).", AGAIN) from None
    if digest != model.digest:
        raise UserError(f"{folder} was encoded by another model than {model.name}.", AGAIN)
    return StreamedEmbeddings(model, dtype) if stream else _StoredEmbeddings(folder, index, model.device)


Shard = tuple[str, tuple[int, ...]]  # a split and the ids of some of its images
Rows = dict[str, Tensor]  # of a shard, on the CPU: the embedding's maps [n c h w] by name


@dataclass(frozen=True)
class _Encoder(Spec):
    """Encodes a dataset's images with a model, open or told by name. dtype: of the encoder and of the rows.

    Called with a shard it gives the rows that are stored of it; in two parts, so that pictures can be read ahead
    (`engine.ahead`). Raises UserError where an image is missing or broken.
    """

    model: PromptableModel | ModelSpec
    dataset: Path
    dtype: str

    @cached_property
    def opened(self) -> PromptableModel:
        return self.model.opened if isinstance(self.model, ModelSpec) else self.model

    @cached_property
    def splits(self) -> dict[str, Split]:
        """Every split but `pretrain`, whose images are never reported."""
        return {name: read_split(self.dataset / name) for name in splits_of(self.dataset) if name != "pretrain"}

    def __call__(self, shard: Shard) -> Rows:
        return self.finish(self.prepare(shard))

    def prepare(self, shard: Shard) -> Float[Tensor, "n 3 s s"]:
        """The pictures of a shard, normalised."""
        name, ids = shard
        pixels, to_input = self.splits[name].pixels, self.opened.geometry.to_input
        return torch.stack([to_input(pixels(i)) for i in ids])

    def finish(self, ready: Float[Tensor, "n 3 s s"]) -> Rows:
        """The rows of these pictures."""
        dtype = DTYPES[self.dtype]
        maps = encode(self.opened, ready, dtype).maps
        return {f"map{i}": each.to(dtype).cpu().contiguous() for i, each in enumerate(maps)}


Each = Callable[[Callable[[Shard], Rows], Sequence[Shard]], Iterable[Rows]]


def encode_dataset(
    model: PromptableModel | ModelSpec,
    dataset: Path,
    out: Path,
    dtype: str,
    batch: int,
    stream: bool,
    each: Each = map,
) -> dict[str, int]:
    """Encode every split but `pretrain` (whose images are never reported) into `out`; returns counts and bytes.

    each: calls a pure function for every shard, one result after the other in their order (`Pool.stream`, say). If it
    does so in other processes, the model is to be told by name. Raises UserError where there is no split to encode.
    """
    encoder = _Encoder(model, dataset, dtype)
    if not encoder.splits:
        raise UserError(f"{dataset} has no split to encode.", "Run the preprocess stage first.")
    index: dict[str, Any] = {"model_sha256": encoder.opened.digest, "dtype": dtype, "stream": stream, "images": {}}
    count, written = sum(map(len, encoder.splits.values())), 0
    with written_aside(out) as folder:
        folder.mkdir(parents=True)
        if not stream:
            written = _announce(encoder.opened, count, DTYPES[dtype])
            _write_shards(encoder, folder, batch, index["images"], each)
        (folder / INDEX).write_text(json.dumps(index, sort_keys=True) + "\n", encoding="utf-8")
    return {"images": count, "bytes": written}


def _announce(model: PromptableModel, count: int, dtype: torch.dtype) -> int:
    """Print what the store will take before it is written."""
    empty = torch.zeros(1, 3, model.image_size, model.image_size)
    probe = encode(model, empty, dtype)
    per_image = dtype.itemsize * sum(each.numel() for each in probe.maps)
    print(f"{count} images take {count * per_image / 2**20:.1f} MiB of embeddings ({per_image / 2**20:.2f} MiB each)")
    return count * per_image


def _write_shards(encoder: _Encoder, folder: Path, batch: int, images: dict[str, Any], each: Each) -> None:
    """A file per shard; where each image lies is noted in `images`. One shard is in memory at a time."""
    shards = list(_shards(encoder.splits, batch))
    for number, ((split, ids), rows) in enumerate(zip(shards, each(encoder, shards), strict=True)):
        save_file(rows, folder / f"{number:05d}.safetensors")
        images.setdefault(split, {}).update({str(i): [number, row] for row, i in enumerate(ids)})


def _shards(splits: Mapping[str, Split], batch: int) -> Iterator[Shard]:
    for name, split in splits.items():
        ids = tuple(split.images)
        for start in range(0, len(ids), batch):
            yield name, ids[start : start + batch]


def set_threads(threads: int | None) -> None:
    """Give this process a fixed number of CPU threads (None: torch's own choice)."""
    if threads is not None:
        torch.set_num_threads(threads)
