"""A picture that the model has looked at, and a model that somebody has loaded already."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from uncertsam.app.api.loading import load
from uncertsam.app.api.pictures import Rgb, identity
from uncertsam.base.errors import UserError
from uncertsam.data.raw.images import Photo
from uncertsam.inference.algebra import Method
from uncertsam.models.promptable import Embedding, PromptableModel
from uncertsam.models.sam2 import Sam2Model, encoded_by
from uncertsam.models.store import DTYPES, encode


@dataclass(frozen=True)
class EncodedImage:
    """One picture's features. image_id: by which its random numbers are drawn. pixels: None where they are not known.

    notes: what is to be said of it. seconds: for encoding it. ready: methods whose part that is done once per picture
    is done.
    """

    size: tuple[int, int]
    embedding: Embedding
    dataset: str
    image_id: str | int
    name: str = ""
    pixels: Rgb | None = field(repr=False, default=None)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    ready: dict[str, Method] = field(repr=False, default_factory=dict)

    def picture(self) -> Rgb:
        """The picture. Raises UserError where only its features are known."""
        if self.pixels is None:
            raise UserError(
                "This method looks at the picture, which the wrapped predictor does not keep.",
                "Call set_image with the picture.",
            )
        return self.pixels


def see(
    model: PromptableModel,
    several: Sequence[Photo],
    names: Sequence[str],
    ids: Sequence[str | int | None],
    dataset: str,
    dtype: str,
) -> list[EncodedImage]:
    """Encode pictures together. ids: None for a hash of the pixels. dtype: of the encoder, as in `encode.dtype`."""
    begun = time.perf_counter()
    inputs = torch.stack([model.geometry.to_input(photo.pixels) for photo in several])
    embedding = encode(model, inputs, DTYPES[dtype])
    seconds = (time.perf_counter() - begun) / len(several)
    found = []
    for i, (photo, name, number) in enumerate(zip(several, names, ids, strict=True)):
        pixels = photo.pixels
        known = identity(pixels) if number is None else number
        size, part = pixels.shape[:2], embedding[i : i + 1]
        found.append(EncodedImage(size, part, dataset, known, name, pixels, photo.notes, seconds))
    return found


def model_of(predictor: Any, weights: Path | None, name: str | None) -> PromptableModel:
    """The model of a `SAM2ImagePredictor`, shared and not copied.

    weights: the file that it was loaded from, with which it is compared: fitted parts know their model by that file.
    name: as in `loading.load`. Raises UserError where they differ, and where the network is not ready to be asked.
    """
    network: Any = getattr(predictor, "model", None)
    if not hasattr(network, "sam_mask_decoder"):
        raise UserError(f"A {type(predictor).__name__} holds no SAM 2 model.", "Wrap a SAM2ImagePredictor.")
    if network.training or any(p.dtype != torch.float32 for p in network.parameters()):
        raise UserError("The wrapped model is not in evaluation mode and float32.", "Call .eval() and .float() on it.")
    if weights is None:
        return Sam2Model(network, name or "wrapped", _hashed(list(network.state_dict().values())))
    loaded = load(weights, "cpu", name)
    if not (isinstance(loaded, Sam2Model) and loaded.holds(network)):
        raise UserError(
            f"The wrapped model has other weights than {weights}.", "Name the file that it was loaded from."
        )
    return Sam2Model(network, loaded.name, loaded.digest, loaded.weights)


def seen_by(predictor: Any, dataset: str) -> EncodedImage | None:
    """The picture that a `SAM2ImagePredictor` has encoded; None where there is none, or a batch of them."""
    found = encoded_by(predictor)
    if found is None:
        return None
    size, embedding = found
    return EncodedImage(size, embedding, dataset, _hashed(embedding.maps[:1])[:16])


def _hashed(tensors: Sequence[Tensor]) -> str:
    code = hashlib.sha256()
    for tensor in tensors:
        code.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return code.hexdigest()
