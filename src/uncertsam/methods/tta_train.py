"""Test-time augmentation with the colour changes of SAM 2's training: N re-encoded pictures, none of them unchanged.

Paper Table 4, "TTA (Train)": resize, jitter, perhaps grey, jitter. U is the entropy of the mean probability.
"""

from functools import partial
from pathlib import Path

from pydantic import PositiveInt

from uncertsam.inference.augment import Symmetry
from uncertsam.inference.ensemble import ViewParams, Views
from uncertsam.inference.perturb import Colours, train_view
from uncertsam.models.promptable import PromptableModel

FITTED: str | None = None


class Params(ViewParams, Colours, frozen=True):
    """members: N; how colours change. Defaults: the paper's."""

    members: PositiveInt = 10


def build(params: Params, model: PromptableModel, fitted: Path | None) -> Views:
    """Nothing is fitted."""
    return Views("tta_train", partial(train_view, params), [Symmetry()] * params.members, params)
