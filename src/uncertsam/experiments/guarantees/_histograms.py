"""One cell's masks as counts: how many pixels of object and of background lie on each level of the logit.

All that is promised of probabilities follows from these counts, so that hundreds of splits cost no more than one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from uncertsam.base.errors import UserError
from uncertsam.data.format import Annotation, Split
from uncertsam.metrics.ranking import ratio
from uncertsam.metrics.stored import Predictions

LEVELS, PER_UNIT = 512, 16  # equal steps of the logit in [-16, 16); 0 is an edge, and all edges are exact in float32
EDGES = (np.arange(LEVELS + 1) - LEVELS // 2) / PER_UNIT  # logits
CENTRES = (EDGES[:-1] + EDGES[1:]) / 2
PLAIN = LEVELS // 2  # the threshold P >= 0.5


@dataclass(frozen=True)
class Pool:
    """All masks of a dataset under one method, in ascending (image id, mask id).

    images: ascending ids of the images with masks. owner: the position of each mask's image there. counts: pixels of
    background and of object on each level. iou: of the mask P > 0.5. unsure: its mean uncertainty, in U's own unit.
    Void pixels count nowhere; a mask without a pixel of object that counts is left out.
    """

    images: Int[np.ndarray, " n_images"]
    owner: Int[np.ndarray, " n"]
    counts: Int[np.ndarray, "n 2 levels"]
    iou: Float[np.ndarray, " n"]
    unsure: Float[np.ndarray, " n"]

    @property
    def masks_of(self) -> Int[np.ndarray, " n_images"]:
        """How many masks each image has."""
        return np.bincount(self.owner, minlength=len(self.images))

    def sums(self, values: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n_images k"]:
        """The sum over each image's masks."""
        starts = np.searchsorted(self.owner, np.arange(len(self.images)))
        return np.add.reduceat(values, starts, axis=0)

    def means(self, values: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n_images k"]:
        """The mean over each image's masks."""
        return self.sums(values) / self.masks_of[:, None]

    def missed(self) -> Float[np.ndarray, "n thresholds"]:
        """The share of the object that the set {logit >= edge} misses, for each of `EDGES`; it rises from 0 to 1.

        At the lowest edge the set is the whole image, whatever the logits are.
        """
        found = np.cumsum(self.counts[:, 1], axis=1) / self.counts[:, 1].sum(axis=1, keepdims=True)
        return np.pad(found, ((0, 0), (1, 0)))

    def areas(self) -> Float[np.ndarray, "n thresholds"]:
        """The pixels of the set, for each of `EDGES`."""
        below = np.cumsum(self.counts.sum(axis=1), axis=1)
        return (below[:, -1:] - np.pad(below, ((0, 0), (1, 0)))).astype(float)


def pool_of(predictions: Path, split: Split) -> Pool:
    """Count one cell (index.parquet, maps.safetensors), whose masks must be those of the split.

    Raises UserError where they are not, a file is missing or broken, or no mask has a pixel of object.
    """
    owners = {a.id: a.image_id for annotations in split.annotations.values() for a in annotations}
    cell, found = Predictions.open(predictions, owners), []
    for image_id in sorted(split.images):
        counted = ~split.ignored(image_id)
        for annotation in sorted(split.annotations[image_id], key=lambda a: a.id):
            row = _row(cell, split.mask(annotation), counted, annotation)
            found += [] if row is None else [row]
    if not found:
        raise UserError(f"{split.root} has no mask with a pixel of object.", "Leave the dataset out.")
    ids, counts, iou, unsure = zip(*found, strict=True)
    images, owner = np.unique(ids, return_inverse=True)
    return Pool(images, owner, np.stack(counts), np.array(iou), np.array(unsure))


Row = tuple[int, Int[np.ndarray, "2 levels"], float, float]


def _row(
    cell: Predictions, truth: Bool[np.ndarray, "h w"], counted: Bool[np.ndarray, "h w"], annotation: Annotation
) -> Row | None:
    """The image id, counts, IoU and mean U of one mask."""
    logits, unsure = (large[counted] for large in cell.of(annotation.id).large(truth.shape))
    inside = truth[counted]
    if not inside.any():
        return None
    mask = logits > 0
    iou = float(ratio(np.count_nonzero(mask & inside), np.count_nonzero(mask | inside)))
    return annotation.image_id, count(logits, inside), iou, float(unsure.mean(dtype=np.float64))


def count(logits: Float[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> Int[np.ndarray, "2 levels"]:
    """Pixels of background and of object on each level; logits outside of [-16, 16) join the outermost levels."""
    levels = np.clip((logits * PER_UNIT + LEVELS // 2).astype(np.int32), 0, LEVELS - 1)
    return np.bincount(levels + LEVELS * truth, minlength=2 * LEVELS).reshape(2, LEVELS)
