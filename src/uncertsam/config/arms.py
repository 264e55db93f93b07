"""The rows of the refinement's comparison: which answer is refined, and what is told beside it."""

from dataclasses import dataclass
from typing import Literal

from uncertsam.base.errors import UserError

Source = Literal["sam", "laplace"]
Map = Literal["entropy", "ones"]


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
