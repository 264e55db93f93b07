"""The refined answers on one dataset: one cell per arm and step, and the bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from uncertsam.config.arms import BOUND, arm_named, method_of
from uncertsam.config.training import TrainFusion
from uncertsam.experiments.refinement._refine import Refiner, refine, truth_as_prompt
from uncertsam.experiments.refinement.first_pass import first_pass
from uncertsam.experiments.refinement.fusion import load
from uncertsam.inference.algebra import Answer, Inputs
from uncertsam.inference.predictions import PromptSet, Written, predict_cells
from uncertsam.methods.posterior.state import load as load_posterior
from uncertsam.models.select import TokenPolicy


@dataclass(frozen=True)
class Refinement:
    """What all cells of a dataset share. fitted: the folder of fitted parts. policy: of later passes."""

    questions: PromptSet
    fitted: Path
    policy: TokenPolicy
    meta: Mapping[str, Any]

    def bound(self, out: Path) -> int:
        """Write what the truth as mask prompt gives; returns the number of masks."""
        return len(predict_cells(self.questions, self._with_truth, [self._cell(out, BOUND, {})]))

    def arm(self, name: str, steps: int, out: Path) -> int:
        """Write `fusion_NAME`, `fusion_NAME_2`, ... by the module that has not seen the dataset."""
        model = self.questions.model
        state, posterior = load(self.fitted / "fusion" / name, name, model), self.fitted / "laplace"
        params = TrainFusion(**state.params)
        first = first_pass(arm_named(name), params, load_posterior(posterior, model))
        module = state.unseen(self.questions.dataset)
        refiner = Refiner(first, arm_named(name).map, module, self.policy)
        cells = [self._cell(out, method_of(name, k + 1), {"trained": state.params}) for k in range(steps)]
        return len(predict_cells(self.questions, lambda inputs, _: refine(refiner, inputs, steps), cells))

    def _with_truth(self, inputs: Inputs, image_id: int) -> Sequence[Answer]:
        masks = torch.from_numpy(self.questions.split.masks(image_id))
        return [truth_as_prompt(inputs, masks, self.policy)]

    def _cell(self, out: Path, method: str, more: Mapping[str, Any]) -> Written:
        return Written(out / method, {**self.meta, "method": method, "params": self.policy.model_dump(), **more})
