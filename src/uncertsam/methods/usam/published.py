"""The published heads: one folder per head with a `model.pth`, trained with offset 0 on the tokens of SAM 2.

model.pth: layers.{0,1,2}.weight [outputs, inputs], layers.{0,1,2}.bias. Only tensors are read; nothing is executed.
"""

from pathlib import Path

import torch
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.methods.usam.heads import Heads, Offset, head_names
from uncertsam.models.checkpoints import NO_WEIGHTS

SIZES = ("tiny", "small", "base_plus", "large")
ALIASES = {"iou_unsupervised": ("iou_unsupervised", "unsupervised_iou")}  # the published folder, the training script's
WIDTH = 512
SHAPES = {"weight0": [WIDTH, WIDTH], "bias0": [1, WIDTH], "weight1": [WIDTH, WIDTH], "bias1": [1, WIDTH],
          "weight2": [WIDTH, 1], "bias2": [1, 1]}  # fmt: skip
AGAIN = (
    "Give the folder of the authors' repository that holds the nine heads, models/mlps/sam2.1 or models/mlps/sam2.0."
)


def load_published(folder: Path, width: int, offset: Offset = 0) -> Heads:
    """The nine heads in a folder, for a model with tokens of `width` channels.

    Raises UserError where one is missing, broken or no such head, for another width than SAM 2's 256, and for offset 1.
    """
    if 2 * width != WIDTH:
        remedy = "Use sam2.1_tiny to sam2.1_large, or train heads by the train_usam stage."
        raise UserError(
            f"The heads in {folder} read tokens of {WIDTH // 2} channels, the model's have {width}.", remedy
        )
    if offset != 0:
        raise UserError(f"The heads in {folder} were trained with offset 0, not {offset}.", "Set usam.offset: 0.")
    names = head_names(SIZES, "paper")
    each = [_read(_file(folder, name)) for name in names]
    heads = Heads(names, WIDTH, 0)
    heads.load_state_dict({key: torch.stack([weights[key] for weights in each]) for key in SHAPES})
    return heads.requires_grad_(False).eval()


def _file(folder: Path, name: str) -> Path:
    files = [folder / alias / "model.pth" for alias in ALIASES.get(name, (name,))]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise UserError(f"{files[0]} is missing.", AGAIN)
    return found


def _read(path: Path) -> dict[str, Tensor]:
    """One head's tensors, laid out as in `Heads`."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = {f"weight{i}": state[f"layers.{i}.weight"].T.float() for i in range(3)}
        found |= {f"bias{i}": state[f"layers.{i}.bias"][None].float() for i in range(3)}
    except (*NO_WEIGHTS, AttributeError) as error:
        raise UserError(f"{path} cannot be read as a head ({_first_line(error)}).", AGAIN) from None
    if {name: [*tensor.shape] for name, tensor in found.items()} != SHAPES:
        raise UserError(f"{path} is no head of {WIDTH} inputs.", AGAIN)
    return found


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]
