"""The variance network as the paper's code reads it: U is the raw log-variance, in [-5, 5].

It grows with doubt, but its zero means a squared error of 1, which no probability can reach.
"""

from pathlib import Path

from uncertsam.methods.variance.method import FITTED, VarianceMethod, build_method, measure_of_variance
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy

__all__ = ["FITTED", "Params", "build"]

MEASURE = measure_of_variance("log-variance [1]", lambda found: found)


class Params(TokenPolicy, frozen=True):
    """Which mask is read, and with it whose variance."""


def build(params: Params, model: PromptableModel, fitted: Path | None) -> VarianceMethod:
    """Raises UserError as `build_method` does."""
    return build_method(params, model, fitted, MEASURE)
