"""Naive baseline: SAM 2's mask with the same U everywhere."""

from pathlib import Path

import torch

from uncertsam.inference.algebra import Plain
from uncertsam.metrics.uncertainty import Measure
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy

FITTED: str | None = None
MEASURE = Measure("constant", "constant")


class Params(TokenPolicy, frozen=True):
    """Which mask is read."""


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Plain:
    """Nothing is fitted."""
    return Plain(params, MEASURE, torch.ones_like)
