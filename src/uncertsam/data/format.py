"""The benchmark format: what the authors publish, indexed.

    <DATASET>/<split>/images/00000012.jpg       integer stems
    <DATASET>/<split>/annotations/dataset.json  {"annotations": [{id, image_id, area, segmentation}, ...]}

`segmentation` is {size: [H, W], counts: base64 of COCO's compressed RLE}. Beside `annotations` we write an `images`
list (where each image came from) and `info` (what the whole set is); published sets without them read as well.
"""

import base64
import threading
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydantic
from jaxtyping import Bool, Int, UInt8
from PIL import Image
from pycocotools import mask as coco

from uncertsam.base.errors import UserError, first_fault
from uncertsam.base.files import write_json

Quality = Literal["human", "derived", "model", "synthetic", "unknown"]  # who made the label
Rle = dict[str, Any]
ANNOTATIONS = Path("annotations", "dataset.json")
LONGEST = 65535  # pixels of a side, as in JPEG; pycocotools counts in 32 bits


@dataclass(frozen=True)
class ImageRecord:
    """One image: `source` is its path in the raw set, `sha256` that of the raw file, `group` its near-duplicates' key.

    `ignore` marks void pixels, which no metric counts.
    """

    id: int
    width: int
    height: int
    source: str = ""
    sha256: str = ""
    group: str = ""
    quality: Quality = "unknown"
    ignore: Rle | None = None

    @property
    def file_name(self) -> str:
        return f"{self.id:08d}.jpg"

    @property
    def cluster(self) -> str:
        """What is split and resampled as one: near-duplicates, else the same file, else the image alone."""
        return self.group or self.sha256 or str(self.id)


@dataclass(frozen=True)
class Annotation:
    """One binary mask of one image; `id` is unique in its split."""

    id: int
    image_id: int
    area: int
    segmentation: Rle
    label: str = ""


_FILTERS = threading.RLock()  # filters of warnings are the whole process's, and pictures are read in several threads


@contextmanager
def quietly() -> Iterator[None]:
    """Pillow warns above half of what it refuses, where `max_megapixels` decides, and of tags that it passes over.

    Only one thread is in such a block at a time.
    """
    with _FILTERS, warnings.catch_warnings():
        for kind in (Image.DecompressionBombWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        yield


@dataclass(frozen=True)
class Split:
    """One split of one dataset, with its look-ups built once."""

    root: Path
    info: dict[str, Any]
    images: dict[int, ImageRecord]
    annotations: dict[int, list[Annotation]] = field(repr=False)

    def __iter__(self) -> Iterator[ImageRecord]:
        return iter(self.images.values())

    def __len__(self) -> int:
        return len(self.images)

    def pixels(self, image_id: int) -> UInt8[np.ndarray, "h w 3"]:
        """The image as RGB in [0, 255]. Raises UserError where the file is missing or broken."""
        path = self.root / "images" / self.images[image_id].file_name
        try:
            with quietly():
                image = Image.open(path)
            with image:
                return np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise UserError(
                f"{path} cannot be read as an image ({error}).", "Run the preprocess stage again."
            ) from None

    def masks(self, image_id: int) -> Bool[np.ndarray, "n h w"]:
        """The masks of one image, in the order of its annotations; n may be 0. Raises UserError as `mask` does."""
        record = self.images[image_id]
        empty = np.zeros((0, record.height, record.width), bool)
        return np.concatenate([empty, *(self.mask(a)[None] for a in self.annotations[image_id])])

    def mask(self, annotation: Annotation) -> Bool[np.ndarray, "h w"]:
        """One mask. Raises UserError, naming it, where its RLE is broken or of another size than its image."""
        return self._decoded(annotation.image_id, annotation.segmentation, f"mask {annotation.id}")

    def ignored(self, image_id: int) -> Bool[np.ndarray, "h w"]:
        """The void pixels of one image; mostly none."""
        record = self.images[image_id]
        if record.ignore is None:
            return np.zeros((record.height, record.width), bool)
        return self._decoded(image_id, record.ignore, "the void")

    def _decoded(self, image_id: int, rle: Rle, name: str) -> Bool[np.ndarray, "h w"]:
        record, path = self.images[image_id], self.root / ANNOTATIONS
        try:
            mask = decode_rle(rle)
        except UserError as error:
            raise UserError(f"{path}: {name} of image {image_id}: {error.problem}", error.mend) from None
        if mask.shape != (record.height, record.width):
            size = f"{mask.shape[1]}x{mask.shape[0]} pixels, its image {record.width}x{record.height}"
            raise UserError(f"{path}: {name} of image {image_id} has {size}.", "Run the preprocess stage again.")
        return mask


def encode_rle(mask: Bool[np.ndarray, "h w"]) -> Rle:
    """A binary mask as {size: [H, W], counts: base64 of COCO's compressed RLE}."""
    rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(n) for n in rle["size"]], "counts": base64.b64encode(rle["counts"]).decode()}


def decode_rle(rle: Rle) -> Bool[np.ndarray, "h w"]:
    """The inverse of `encode_rle`. Raises UserError on a broken entry."""
    try:
        counts = base64.b64decode(rle["counts"], validate=True)
        height, width = (int(n) for n in rle["size"])
        runs = _run_lengths(counts)
        if not 0 <= min(height, width) <= max(height, width) <= LONGEST:
            raise ValueError(f"its size is {height} x {width}")
        if (runs < 0).any() or runs.sum() != height * width:  # pycocotools would invent the missing pixels
            raise ValueError(f"its runs cover {runs.sum()} of {height * width} pixels")
        return coco.decode({"size": [height, width], "counts": counts}).astype(bool)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"A mask's RLE is broken ({error!r}).", "Run the preprocess stage again.") from None


def _run_lengths(counts: bytes) -> Int[np.ndarray, " n"]:
    """COCO's compressed counts: 5 bits per character, low ones first; from the fourth run on, differences two back."""
    codes = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    last = (codes & 32) == 0
    if not len(codes) or (codes < 0).any() or not last[-1]:
        raise ValueError("its counts are no COCO string")
    starts = np.flatnonzero(np.r_[True, last[:-1]])
    place = np.arange(len(codes)) - np.repeat(starts, np.diff(np.r_[starts, len(codes)]))
    values = np.add.reduceat((codes & 31) << (5 * place), starts)
    negative = (codes[last] & 16) > 0
    values = values - (negative.astype(np.int64) << (5 * (place[last] + 1)))
    runs = values.copy()
    for side in (1, 2):  # odd and even runs are coded apart
        runs[side::2] = np.cumsum(values[side::2])
    return runs


def write_split(root: Path, info: dict[str, Any], images: Iterable[ImageRecord], masks: Iterable[Annotation]) -> None:
    """Write `annotations/dataset.json` below `root` (<DATASET>/<split>); the images are written by the caller."""
    value = {"info": info, "images": [asdict(i) for i in images], "annotations": [asdict(a) for a in masks]}
    write_json(root / ANNOTATIONS, value)


class _Sheet(pydantic.BaseModel):
    """dataset.json; a published one has nothing but `annotations`."""

    annotations: list[Annotation]
    images: list[ImageRecord] | None = None
    info: dict[str, Any] = {}


def read_split(root: Path) -> Split:
    """Read <DATASET>/<split>. Raises UserError where it is missing, broken or names images that are not there."""
    path = root / ANNOTATIONS
    try:
        sheet = _Sheet.model_validate_json(path.read_bytes())
        by_image: dict[int, list[Annotation]] = defaultdict(list)
        for annotation in sheet.annotations:
            by_image[annotation.image_id].append(annotation)
        images = _image_records(sheet.images, by_image)
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", "Run the preprocess stage, or check the dataset's folder.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is not in the benchmark format ({first_fault(error)}).", "Run the preprocess stage."
        ) from None
    _check(path, root, images, by_image)
    return Split(root, sheet.info, images, {i: by_image.get(i, []) for i in images})


def splits_of(dataset: Path) -> list[str]:
    """The names of the splits that a dataset has, sorted."""
    return sorted(p.parent.parent.name for p in dataset.glob("*/annotations/dataset.json"))


def _image_records(listed: list[ImageRecord] | None, by_image: dict[int, list[Annotation]]) -> dict[int, ImageRecord]:
    """The images in ascending id; where none are listed, the annotations name them and give their sizes."""
    if listed is None:
        sizes = {i: a[0].segmentation["size"] for i, a in by_image.items()}
        listed = [ImageRecord(i, int(width), int(height)) for i, (height, width) in sizes.items()]
    return {r.id: r for r in sorted(listed, key=lambda r: r.id)}


def _check(path: Path, root: Path, images: dict[int, ImageRecord], by_image: dict[int, list[Annotation]]) -> None:
    ids = [annotation.id for of_image in by_image.values() for annotation in of_image]
    if len(set(ids)) < len(ids):
        raise UserError(f"{path} uses an annotation id twice.", "Give every mask of the split its own id.")
    present = {p.name for p in (root / "images").glob("*.jpg")}
    lost = [images[i].file_name if i in images else f"{i:08d}.jpg" for i in by_image]
    lost = [name for name in lost if name not in present]
    if lost:
        raise UserError(
            f"{path} annotates {lost[0]}, which is not in {root / 'images'}.",
            "Restore the image, or run the preprocess stage again.",
        )
