"""What the rows of the refinement's tables are called."""

from collections.abc import Sequence

PLAIN, BOUND = "sam", "truth_prompt"  # without refinement; with the truth as mask prompt


def method_of(arm: str, step: int) -> str:
    """The name of an arm's `step`-th refinement in every table."""
    return f"fusion_{arm}" if step == 1 else f"fusion_{arm}_{step}"


def methods_of(arms: Sequence[str], steps: int) -> list[str]:
    """All methods of the comparison, the references first and last."""
    return [PLAIN, *(method_of(arm, k + 1) for arm in arms for k in range(steps)), BOUND]


def steps_of(method: str) -> int:
    """How many refinements a row has behind it; 0 for the references."""
    if not method.startswith("fusion_"):
        return 0
    last = method.rpartition("_")[2]
    return int(last) if last.isdigit() else 1
