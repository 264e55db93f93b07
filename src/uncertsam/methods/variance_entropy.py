"""The variance network, U the predictive entropy, in nats, in [0, ln 2], on the scale of the other methods.

A coin of probability p has variance p (1 - p), and that is the expected squared error of an honest probability. So the
predicted squared error names a coin, whose entropy is U; errors beyond 1/4, a fair coin's, all count as ln 2.
"""

from pathlib import Path

from uncertsam.methods.variance.method import FITTED, VarianceMethod, build_method, coin_entropy, measure_of_variance
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy

__all__ = ["FITTED", "Params", "build"]

MEASURE = measure_of_variance("predictive entropy [nats]", coin_entropy)


class Params(TokenPolicy, frozen=True):
    """Which mask is read, and with it whose variance."""


def build(params: Params, model: PromptableModel, fitted: Path | None) -> VarianceMethod:
    """Raises UserError as `build_method` does."""
    return build_method(params, model, fitted, MEASURE)
