"""An answer: a mask, where not to trust it, and ways to look at it, keep it, and hand it on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from uncertsam.app.api.prompts import Question
from uncertsam.base.errors import UserError
from uncertsam.models.layout import Layout

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Low = Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Origin:
    """What an answer was made from: with the same of everything it comes out the same.

    measure: what U is, with its unit in brackets. image: the file's name, empty where there was none. dataset,
    image_id, seed: what the method's random numbers come from.
    """

    method: str
    measure: str
    params: Mapping[str, Any]
    model: str
    model_sha256: str
    image: str
    dataset: str
    image_id: str | int
    seed: int

    @property
    def unit(self) -> str:
        """Of U; "1" where it has none."""
        return self.measure.rpartition("[")[2].rstrip("]") if self.measure.endswith("]") else "1"


@dataclass(frozen=True, eq=False)
class Prediction:
    """One object's answer. Maps are made at the picture's resolution [H, W] when asked for, as the pipeline does.

    size: H, W. layout: of the model. logits: logit of the mean probability, in +-16.12, on the decoder's grid;
    low_uncertainty, low_parts: the same for U and what it is made of. iou: predicted IoU in [0, 1]. object_logit: that
    there is an object, None where the model does not predict it. timings: seconds for encoding the picture, for what
    the method does once per picture, and for this object. pixels: the picture, None where only its features are known.
    seen: what was done to it.
    """

    origin: Origin
    question: Question
    size: tuple[int, int]
    layout: Layout
    logits: Low
    low_uncertainty: Low
    low_parts: Mapping[str, Low]
    iou: float
    object_logit: float | None
    timings: Mapping[str, float]
    pixels: UInt8[np.ndarray, "height width 3"] | None = field(repr=False, default=None)
    seen: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return self.origin.method

    @cached_property
    def mask(self) -> Bool[np.ndarray, "height width"]:
        """Where the mean probability is above one half."""
        return self._large(self.logits) > 0

    @cached_property
    def probability(self) -> Float[np.ndarray, "height width"]:
        """The mean probability of the object, in [1e-7, 1 - 1e-7]."""
        z = self._large(self.logits)
        return (1 / (1 + np.exp(-z))).astype(np.float32)

    @cached_property
    def uncertainty(self) -> Float[np.ndarray, "height width"]:
        """U, which grows with doubt; its unit is `origin.unit`."""
        return self._large(self.low_uncertainty)

    @cached_property
    def decomposition(self) -> dict[str, Float[np.ndarray, "height width"]]:
        """What U is made of, by name; empty where the method has no parts."""
        return {name: self._large(part) for name, part in self.low_parts.items()}

    def _large(self, low: Low) -> Float[np.ndarray, "height width"]:
        return self.layout.to_picture(low, self.size)

    @cached_property
    def score(self) -> float:
        """The mean of U over the whole picture: the report's `mean_u`, whose rank among masks its Mask AUROC judges."""
        return float(self.uncertainty.mean(dtype=np.float64))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the picture to see it, and changed to make sense of the prompt."""
        return self.seen + self.question.notes

    @property
    def picture(self) -> UInt8[np.ndarray, "height width 3"]:
        """The picture. Raises UserError where it is not known."""
        if self.pixels is None:
            raise UserError("The picture is not known, only its features are.", "Call set_image with the picture.")
        return self.pixels

    def plot(self) -> "Figure":
        """The picture with prompt and mask, the probability, and U, side by side, with scales."""
        from uncertsam.app.api.drawing import plot

        return plot(self)

    def save(self, folder: str | Path) -> dict[str, Path]:
        """Write overlay.png, plot.png, uncertainty.png (16 bits), maps.npz and prediction.json; see `api.saving`."""
        from uncertsam.app.api.saving import save

        return save(self, Path(folder))

    def to_coco(self) -> dict[str, Any]:
        """The mask as COCO wants results: RLE, bbox [x, y, width, height], area; `score` is the predicted IoU.

        `uncertainty`, which COCO does not know, is `score` of this class.
        """
        from pycocotools import mask as coco

        packed = coco.encode(np.asfortranarray(self.mask.astype(np.uint8)))
        return {
            "segmentation": {"size": [*self.size], "counts": packed["counts"].decode("ascii")},
            "bbox": [float(value) for value in coco.toBbox(packed)],
            "area": int(coco.area(packed)),
            "score": self.iou,
            "uncertainty": self.score,
        }
