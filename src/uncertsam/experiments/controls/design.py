"""The factorial: four factors of two levels, sixteen cells, and their names; no model is needed.

Factors, levels and the way from one end to the other were registered before anything was run:
`profiles/controls_registration.md`.
"""

from collections.abc import Collection
from itertools import combinations

# factor -> its level in SAM as published, and in LA as published (spec of the authors' code, sections 0 and 7)
FACTORS: dict[str, tuple[str, str]] = {
    "token": ("dynamic", "token0"),
    "gate": ("gate", "nogate"),
    "precision": ("fp32", "bf16"),
    "bayes": ("map", "laplace"),
}
PRIMARY = ("pearson", "brier", "iou")
SECONDARY = ("boundary_iou_0.02", "nll", "aurc")
REGION = "full"
TOTAL = "total"  # of all four factors
REFERENCE = "laplace_closed"  # what the other controls are held against


def cell_name(changed: Collection[str]) -> str:
    """The cell in which the factors `changed` are as in LA and the others as in SAM: "dynamic_gate_fp32_map".

    Raises ValueError for a factor that is none.
    """
    unknown = set(changed) - set(FACTORS)
    if unknown:
        raise ValueError(f"no factor: {', '.join(sorted(unknown))}")
    return "_".join(levels[factor in changed] for factor, levels in FACTORS.items())


# every set of changed factors, the empty one first, and its cell
CELLS: dict[frozenset[str], str] = {
    frozenset(changed): cell_name(changed)
    for size in range(len(FACTORS) + 1)
    for changed in combinations(FACTORS, size)
}
SAM, LA = cell_name(()), cell_name(tuple(FACTORS))
