"""A naive way is a fair rival only if it gives the same: the benchmark stops where it does not."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from uncertsam.base.errors import UserError
from uncertsam.inference.algebra import Answer


def demand_equal(part: str, ours: Any, naive: Any, tolerance: float) -> None:
    """Compare what the naive way tells with ours. Raises UserError where anything differs by more than the tolerance.

    tolerance: of the largest value, at least of 1. NaN equals NaN.
    """
    found, expected = values_of(ours), values_of(naive)
    for key, value in expected.items():
        if key not in found or not _close(found[key], value, tolerance):
            raise UserError(
                f"{part}: the naive way disagrees with ours on {key} by more than {tolerance:g}.",
                "One of them is wrong: no time is worth anything until they agree.",
            )


def values_of(result: Any) -> dict[str, np.ndarray]:
    """A result as named arrays: an answer's probability, a mapping's values, or the result itself."""
    if isinstance(result, Answer):
        return {"probability": torch.sigmoid(result.logits.double()).cpu().numpy()}
    named = result if isinstance(result, Mapping) else {"value": result}
    return {_name(key): _array(value) for key, value in named.items()}


def _name(key: Any) -> str:
    return " ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value, np.float64)


def _close(found: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    if found.shape != expected.shape:
        return False
    scale = max(1.0, float(np.nan_to_num(np.abs(expected)).max(initial=0.0)))
    return bool(np.allclose(found, expected, rtol=0, atol=tolerance * scale, equal_nan=True))
