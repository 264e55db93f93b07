"""Naive baseline: SAM 2's mask with the same U everywhere."""

from pathlib import Path

from uncertsam.sam.model import PromptableModel
from uncertsam.sam.select import TokenPolicy
from uncertsam.uncertainty.core.algebra import Plain
from uncertsam.uncertainty.core.measures import CONSTANT

FITTED: str | None = None


class Params(TokenPolicy, frozen=True):
    """Which mask is read."""


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Plain:
    """Nothing is fitted."""
    return Plain(params, CONSTANT)
