"""A non-negative combination of entropies that foretells the error |P - M|, and the folder that it is kept in.

It is fitted by least squares with non-negative weights over all pixels of calibration images, every mask counting the
same; so it can only rise with each entropy. The posterior whose entropies it weighs lies beside it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.methods.joint.ensembles import SOURCES, JointParams
from uncertsam.models.promptable import PromptableModel
from uncertsam.training.fitted import FittedPart

PART = FittedPart(
    "uncertsam combination of entropies, version 2",
    "Run the fit_combination stage again.",
    {"sources": list, "images": int, "params": dict},
)
FILE, NUMBERS = "combination.safetensors", ("offset", "weights")
LEAST = 5  # images to fit five numbers on
Pair = tuple[Float[Tensor, "sources n h w"], Float[Tensor, "n h w"]]  # entropies, and |P - M|


class CombinationParams(JointParams, frozen=True):
    """The ensembles, and the dataset on whose `calibrate` split the weights are fitted."""

    dataset: str


@dataclass(frozen=True)
class Combination:
    """Expected error = offset + weights @ entropies.

    weights: per source of `SOURCES`, none negative. model, model_sha256, images, params: of the fit; predictions
    take their ensembles from the last.
    """

    offset: float
    weights: tuple[float, ...]
    model: str
    model_sha256: str
    images: int
    params: CombinationParams

    def __call__(self, entropies: Float[Tensor, "sources n h w"]) -> Float[Tensor, "n h w"]:
        """Expected error, at least `offset`."""
        return torch.tensordot(torch.tensor(self.weights).to(entropies), entropies, 1) + self.offset


def fit(model: PromptableModel, images: Iterable[Pair], params: CombinationParams) -> Combination:
    """Least squares over images, one at a time. Raises UserError with fewer than `LEAST` images."""
    from scipy.optimize import nnls

    gram, count = np.zeros((len(SOURCES) + 2,) * 2), 0
    for entropies, error in images:
        count += 1
        columns = torch.cat([entropies, torch.ones_like(error)[None], error[None]]).flatten(1).double().cpu().numpy()
        gram += columns @ columns.T / error[0].numel()
    if count < LEAST:
        raise UserError(
            f"{count} calibration images are too few to fit a combination on.",
            f"Give the dataset's split a larger share for `calibrate` ({LEAST} images at least).",
        )
    root = np.linalg.cholesky(gram + 1e-9 * np.trace(gram) * np.eye(len(gram))).T  # |columns.T @ x| = |root @ x|
    found = nnls(root[:, :-1], root[:, -1])[0]
    weights = tuple(map(float, found[:-1]))
    return Combination(float(found[-1]), weights, model.name, model.digest, count, params)


def save(combination: Combination, folder: Path, posterior: Path, data: Mapping[str, str]) -> None:
    """Write `folder`, whole or not at all. posterior: copied into it. data: what it was fitted on, name -> hash."""
    values = (combination.offset, combination.weights)
    numbers = {name: torch.tensor(value, dtype=torch.float64) for name, value in zip(NUMBERS, values, strict=True)}
    facts = {
        "sources": list(SOURCES),
        "images": combination.images,
        "params": combination.params.model_dump(mode="json"),
        "data": dict(data),
    }
    owner = (combination.model, combination.model_sha256)
    PART.save(folder, *owner, {FILE: numbers}, facts, {"laplace": posterior})


def load(folder: Path | None, model: PromptableModel) -> Combination:
    """Read what `save` wrote. Raises UserError where it is missing, broken, changed, or of another model."""
    saved = PART.open(folder, model)
    if saved.manifest["sources"] != list(SOURCES):
        raise UserError(f"{folder} was fitted on other entropies.", PART.again)
    like = dict(zip(NUMBERS, (torch.zeros(()), torch.zeros(len(SOURCES))), strict=True))
    found = saved.weights(FILE, like)
    about = {name: saved.manifest[name] for name in ("model", "model_sha256", "images")}
    try:
        params = CombinationParams(**saved.manifest["params"])
    except (TypeError, ValueError):
        raise UserError(f"{folder} does not say with which parameters it was fitted.", PART.again) from None
    return Combination(found["offset"].item(), tuple(found["weights"].tolist()), **about, params=params)
