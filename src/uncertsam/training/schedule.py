"""Learning-rate schedule: linear warm-up, constant, linear cool-down (paper Table 3)."""


def learning_rate_factor(step: int, steps: int, warmup: int, cooldown: int, floor: float = 0.0) -> float:
    """Multiplier in [floor, 1] for the `step`-th update of `steps` (0-based)."""
    rise = min(1.0, (step + 1) / max(1, warmup))
    fall = min(1.0, (steps - step) / max(1, cooldown))
    return max(floor, min(rise, fall))
