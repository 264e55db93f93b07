"""Dense embedding fusion (paper App. D): mask and uncertainty become the dense prompt of a second pass.

The mask passes through SAM's own, frozen mask encoder, the uncertainty through a branch of the same shape; a 1x1
convolution fuses the two. Only branch and convolution are trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.base.errors import UserError
from uncertsam.models.promptable import PromptableModel
from uncertsam.training.fitted import FittedPart, Weights

PART = FittedPart(
    "uncertsam dense embedding fusion, version 1",
    "Run the train_fusion stage of this arm again.",
    {"arm": str, "width": int, "folds": dict},
)
BEST, LAST = "fusion.safetensors", "last.safetensors"
EVERY = "every domain"  # the fold of an arm that leaves nothing out
Init = Literal["faithful", "identity", "mask_prompt"]
HIDDEN = (4, 16)  # channels within the uncertainty branch


class Fusion(nn.Module):
    """The trained part, for a model of any width c; 136,012 parameters at SAM 2's 256."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = _branch(width)
        self.mix = nn.Conv2d(2 * width, width, 1)

    def forward(
        self, mask: Float[Tensor, "n c h w"], uncertainty: Float[Tensor, "n 1 H W"]
    ) -> Float[Tensor, "n c h w"]:
        """The dense embedding. mask: as SAM's mask encoder gives it. uncertainty: H = 4 h, W = 4 w."""
        dense: Tensor = self.mix(torch.cat([mask, self.branch(uncertainty)], 1))
        return dense


def build_fusion(model: PromptableModel, init: Init, seed: int) -> Fusion:
    """A fusion module for this model, on its device, in evaluation mode.

    init: how training begins.
    faithful: PyTorch's defaults, as in the authors' code: a random 1x1 convolution destroys the mask embedding.
    identity: the convolution's weights are 0 and its bias is SAM's "no mask" vector, so that the second pass is given
    exactly what the first was given: the refined logits are the unrefined ones. (A mask prompt would not do: SAM 2
    answers its own mask with another one.)
    mask_prompt: [I, 0], SAM given the first answer as an ordinary mask prompt.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # modules draw from torch's own generator
        fusion = Fusion(model.width)
    mix = fusion.mix
    assert mix.bias is not None
    with torch.no_grad():
        if init == "identity":
            mix.weight.zero_()
            mix.bias.copy_(model.no_mask)
        if init == "mask_prompt":
            mix.weight.copy_(torch.eye(*mix.weight.shape[:2])[:, :, None, None])
            mix.bias.zero_()
    return fusion.to(model.device).eval()


def fuse(
    model: PromptableModel, fusion: Fusion, logits: Float[Tensor, "n H W"], uncertainty: Float[Tensor, "n H W"]
) -> Float[Tensor, "n c h w"]:
    """First-pass logits and uncertainty, both at the decoder's resolution, as a dense embedding."""
    with torch.no_grad():
        mask = model.mask_embedding(logits)
    return fusion(mask, uncertainty[:, None])


@dataclass(frozen=True)
class _FusionState:
    """The modules of one arm. params: of the training. folds: by the dataset that each has not seen, or `EVERY`."""

    arm: str
    params: dict[str, Any]
    folds: Mapping[str, Fusion]

    def unseen(self, dataset: str) -> Fusion:
        """The module that has not seen `dataset`. Raises UserError where there is none."""
        fold = dataset if dataset in self.folds else EVERY
        if fold not in self.folds:
            raise UserError(f"No fusion module of {self.arm} was trained without {dataset}.", PART.again)
        return self.folds[fold]


def save(
    folder: Path,
    arm: str,
    model: PromptableModel,
    params: Mapping[str, Any],
    folds: Mapping[str, Weights],
    facts: Mapping[str, Any],
    last: Mapping[str, Weights] | None = None,
) -> None:
    """Write `folder`, whole or not at all. facts: what it was trained on, and how that went, per fold.

    folds: the best weights. last: those at the end of training, kept beside them and never read here.
    """
    about = {
        "arm": arm,
        "width": model.width,
        "params": dict(params),
        "folds": {fold: facts[fold] for fold in folds},
    }
    files = {BEST: _joined(folds)} | ({} if last is None else {LAST: _joined(last)})
    PART.save(folder, model.name, model.digest, files, about)


def load(folder: Path, arm: str, model: PromptableModel) -> _FusionState:
    """Read what `save` wrote. Raises UserError where it is missing, broken, changed, of another arm or model."""
    saved = PART.open(folder, model)
    if saved.manifest["arm"] != arm:
        raise UserError(f"{folder} holds the arm {saved.manifest['arm']}, not {arm}.", PART.again)
    folds = {fold: Fusion(model.width) for fold in saved.manifest["folds"]}
    weights = saved.weights(BEST, _joined({fold: module.state_dict() for fold, module in folds.items()}))
    for fold, module in folds.items():
        module.load_state_dict(of_fold(weights, fold))
        module.to(model.device).eval().requires_grad_(False)
    return _FusionState(arm, saved.manifest["params"], folds)


def of_fold(weights: Weights, fold: str) -> dict[str, Tensor]:
    """One fold's weights among those of a file."""
    return {name.removeprefix(f"{fold}/"): t for name, t in weights.items() if name.startswith(f"{fold}/")}


def _joined(folds: Mapping[str, Weights]) -> dict[str, Tensor]:
    return {f"{fold}/{name}": value for fold, weights in folds.items() for name, value in weights.items()}


def _branch(width: int) -> nn.Sequential:
    from sam2.modeling.sam2_utils import LayerNorm2d

    first, second = HIDDEN
    return nn.Sequential(
        nn.Conv2d(1, first, 2, 2),
        LayerNorm2d(first),
        nn.GELU(),
        nn.Conv2d(first, second, 2, 2),
        LayerNorm2d(second),
        nn.GELU(),
        nn.Conv2d(second, width, 1),
    )
