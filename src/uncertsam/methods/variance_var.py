"""The variance network, U its predicted squared error, in [exp(-5), exp(5)]: what the name promises.

It ranks pixels as the log-variance does; what depends on scale, Pearson above all, differs.
"""

from pathlib import Path

import torch

from uncertsam.methods.variance.method import FITTED, VarianceMethod, build_method, measure_of_variance
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy

__all__ = ["FITTED", "Params", "build"]

MEASURE = measure_of_variance("predicted squared error [1]", torch.exp)


class Params(TokenPolicy, frozen=True):
    """Which mask is read, and with it whose variance."""


def build(params: Params, model: PromptableModel, fitted: Path | None) -> VarianceMethod:
    """Raises UserError as `build_method` does."""
    return build_method(params, model, fitted, MEASURE)
