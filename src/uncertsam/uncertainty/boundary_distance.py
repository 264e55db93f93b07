"""Naive baseline: SAM 2's mask, doubted near its own boundary; where it has none, doubted nowhere."""

from pathlib import Path

from pydantic import PositiveFloat

from uncertsam.sam.model import PromptableModel
from uncertsam.sam.select import TokenPolicy
from uncertsam.uncertainty.algebra import Plain
from uncertsam.uncertainty.measures import boundary_proximity

FITTED: str | None = None


class Params(TokenPolicy, frozen=True):
    """Which mask is read. scale: the distance at which U has fallen to 1/e, as a share of the diagonal."""

    scale: PositiveFloat = 0.02


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Plain:
    """Nothing is fitted."""
    return Plain(params, boundary_proximity(params.scale))
