"""Refined masks, methods of their own: which answer is refined, what is told beside it, and what they are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from uncertsam.base.errors import UserError

Source = Literal["sam", "laplace"]
Map = Literal["entropy", "ones"]
PLAIN, BOUND = "sam", "truth_prompt"  # without refinement; with the truth as mask prompt


@dataclass(frozen=True)
class Arm:
    """One row of the comparison. left_out: trained on all domains but the one that it is tested on."""

    source: Source
    map: Map
    left_out: bool = False


ARMS: dict[str, Arm] = {
    "sam_ones": Arm("sam", "ones"),
    "la_ones": Arm("laplace", "ones"),
    "la": Arm("laplace", "entropy"),
    "sam_entropy": Arm("sam", "entropy"),
    "la_lodo": Arm("laplace", "entropy", left_out=True),
}


def arm_named(name: str) -> Arm:
    """Raises UserError on an unknown name."""
    if name not in ARMS:
        raise UserError(f"There is no fusion arm {name!r}.", f"Choose one of: {', '.join(ARMS)}.")
    return ARMS[name]


def method_of(arm: str, step: int) -> str:
    """The name of an arm's `step`-th refinement in every table."""
    return f"fusion_{arm}" if step == 1 else f"fusion_{arm}_{step}"


def refined_methods(arms: Sequence[str], steps: int) -> list[str]:
    """All that is refined: every arm by each number of steps, and the bound."""
    return [*(method_of(arm, k + 1) for arm in arms for k in range(steps)), BOUND]


def steps_of(method: str) -> int:
    """How many refinements a method has behind it; 0 for the bound, and for every method that is no arm."""
    if not method.startswith("fusion_"):
        return 0
    last = method.rpartition("_")[2]
    return int(last) if last.isdigit() else 1


def is_refined(method: str) -> bool:
    """Whether this is a refinement or their bound, which figures and comparisons of methods leave out."""
    return method == BOUND or steps_of(method) > 0
