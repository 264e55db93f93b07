"""Learning-rate schedules: the share of the highest rate that an update is made with."""

import math
from collections.abc import Callable

Schedule = Callable[[int, int], float]  # number of the update (0-based), number of all updates


def learning_rate_factor(step: int, steps: int, warmup: int, cooldown: int, floor: float = 0.0) -> float:
    """Linear warm-up, constant, linear cool-down, in [floor, 1]; warm-up and cool-down in updates (paper Table 3)."""
    rise = min(1.0, (step + 1) / max(1, warmup))
    fall = min(1.0, (steps - step) / max(1, cooldown))
    return max(floor, min(rise, fall))


def warmup_cooldown(step: int, steps: int, warmup: float, cooldown: float) -> float:
    """`learning_rate_factor` with warm-up and cool-down as shares of all updates."""
    return learning_rate_factor(step, steps, int(warmup * steps), int(cooldown * steps))


def cosine(step: int, steps: int, floor: float = 0.1) -> float:
    """Half a cosine from 1 at the first update to `floor` at the last (RUAC: a tenth)."""
    return floor + (1 - floor) * (1 + math.cos(math.pi * step / max(1, steps - 1))) / 2
