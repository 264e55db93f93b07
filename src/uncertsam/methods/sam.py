"""SAM 2 as it is: U is the entropy of its own probability. What every other method must beat."""

from pathlib import Path

from uncertsam.inference.algebra import Plain
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy

FITTED: str | None = None


class Params(TokenPolicy, frozen=True):
    """Which mask is read. {token: 0, gate: false} is Laplace's mask without its noise."""


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Plain:
    """Nothing is fitted."""
    return Plain(params, PREDICTIVE_ENTROPY)
