"""One image's objects, as many at a time as fit in memory, asked with ever more prompts."""

from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from uncertsam.inference.algebra import objects_at_once
from uncertsam.models.geometry import to_square
from uncertsam.models.prompt_schedule import prefix
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.prompts import Prompts
from uncertsam.training.examples import Example

Portion = tuple[Prompts, Float[Tensor, "n s s"]]


def portions_and_steps(model: PromptableModel, example: Example, steps: int, side: int) -> Iterator[Portion]:
    """The first k prompts of some objects, k from 1 to `steps`, and their masks as 0 and 1 on a square of `side`."""
    at_once = objects_at_once(model)
    for i in range(0, len(example.prompts), at_once):
        masks = to_square(example.masks[i : i + at_once], side)
        for step in range(1, steps + 1):
            yield prefix(example.prompts[i : i + at_once], step), masks
