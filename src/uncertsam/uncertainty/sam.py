"""SAM 2 as it is: U is the entropy of its own probability. What every other method must beat."""

from pathlib import Path

from uncertsam.sam.model import PromptableModel
from uncertsam.sam.select import TokenPolicy
from uncertsam.uncertainty.core.algebra import Plain
from uncertsam.uncertainty.core.measures import PREDICTIVE_ENTROPY

FITTED: str | None = None


class Params(TokenPolicy, frozen=True):
    """Which mask is read. {token: 0, gate: false} is Laplace's mask without its noise."""


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Plain:
    """Nothing is fitted."""
    return Plain(params, PREDICTIVE_ENTROPY)
