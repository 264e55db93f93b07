"""The variance network, U its predicted squared error, in [exp(-5), exp(5)]: what the name promises.

It ranks pixels as the log-variance does; what depends on scale, Pearson above all, differs.
"""

from pathlib import Path

import torch

from uncertsam.sam.model import PromptableModel
from uncertsam.sam.select import TokenPolicy
from uncertsam.uncertainty.variance.method import FITTED, VarianceMethod, build_method, measure_of_variance

__all__ = ["FITTED", "Params", "build"]

MEASURE = measure_of_variance("predicted squared error [1]", torch.exp)


class Params(TokenPolicy, frozen=True):
    """Which mask is read, and with it whose variance."""


def build(params: Params, model: PromptableModel, fitted: Path | None) -> VarianceMethod:
    """Raises UserError as `build_method` does."""
    return build_method(params, model, fitted, MEASURE)
