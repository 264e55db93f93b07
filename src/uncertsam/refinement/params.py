"""What the sections `train_fusion` and `refine` hold."""

from typing import Literal

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveInt

from uncertsam.refinement.fusion import Init
from uncertsam.sam.select import TokenPolicy
from uncertsam.training.engine import TrainParams


class FusionParams(TrainParams, frozen=True):
    """How fusion is trained, whatever the arm.

    arms: those trained on the fit split of `fit.dataset`. left_out: those trained on other datasets than the one that
    they are tested on; domains: on which (null: all reported datasets with a fit split). init: see `build_fusion`.
    laplace: the first pass's mean probability in closed form, or of so many `samples`. token, gate: of the first pass
    where it is SAM's, and of the second. side: of the square on which the loss compares masks, null for the model's
    input. weight_decay_ones: of the arms with a map of ones, where it is another one (the authors' code: 0.001).
    """

    arms: list[str]
    left_out: list[str] = []
    domains: list[str] | None = None
    init: Init = "identity"
    laplace: Literal["closed", "samples"] = "closed"
    samples: PositiveInt = 100
    token: Literal[0, "dynamic"] = 0
    gate: bool = False
    side: PositiveInt | None = None
    weight_decay_ones: NonNegativeFloat | None = None

    @property
    def policy(self) -> TokenPolicy:
        return TokenPolicy(token=self.token, gate=self.gate)


class RefineParams(BaseModel, extra="forbid", frozen=True):
    """steps: how often an answer is refined. token, gate: which mask is read, of plain SAM and of every later pass."""

    steps: int = Field(1, ge=1, le=3)
    token: Literal[0, "dynamic"] = 0
    gate: bool = False

    @property
    def policy(self) -> TokenPolicy:
        return TokenPolicy(token=self.token, gate=self.gate)
