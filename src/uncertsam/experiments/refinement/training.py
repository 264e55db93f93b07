"""Training one arm: on the general fit set, or once per domain that is left out."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from uncertsam.base.errors import UserError
from uncertsam.config.arms import Arm, arm_named
from uncertsam.config.training import TrainFusion
from uncertsam.experiments.refinement._task import FusionTask
from uncertsam.experiments.refinement.first_pass import FirstPass
from uncertsam.experiments.refinement.fusion import EVERY, save
from uncertsam.training.domains import Domain, Training
from uncertsam.training.engine import Log, Trained
from uncertsam.training.resume import ResumeState
from uncertsam.training.summary import outcome, write_curve

CODE = ("experiments/refinement", "training", "models", "inference", "methods", "base/rng.py")
FoldLog = Callable[[str, int, dict[str, float]], None]


@dataclass(frozen=True)
class ArmTraining:
    """The folds of one arm. plan: the dataset that is left out, or `EVERY`, and what is trained on.

    facts: hashes of the fitted parts that the first pass reads. states: folder of the resume states.
    """

    arm: str
    first: FirstPass
    params: TrainFusion
    plan: Mapping[str, Sequence[Domain]]
    facts: Any
    training: Training
    states: Path

    def run(self, log: FoldLog) -> dict[str, Trained]:
        """Train every fold, or go on; the states stay until `forget`. All arms see the same images and prompts."""
        return {fold: self._train(fold, partial(log, fold)) for fold in self.plan}

    def write(self, found: Mapping[str, Trained], folder: Path, curve: Path) -> None:
        """The best and the last weights of all folds, and the training curves: fold, and the engine's columns."""
        facts = {fold: {"data": {d.name: d.digest for d in self.plan[fold]}, **outcome(t)} for fold, t in found.items()}
        best, last = ({fold: getattr(t, which) for fold, t in found.items()} for which in ("best", "last"))
        save(folder, self.arm, self.training.model, self.params.model_dump(), best, facts, last)
        rows = [[fold, *row] for fold, trained in found.items() for row in trained.curve]
        write_curve(rows, curve, "fold")

    def forget(self) -> None:
        """Remove the folds' states: their weights are written."""
        for fold in self.plan:
            self._state(fold).clear()

    def _train(self, fold: str, log: Log) -> Trained:
        training = self.training
        task = FusionTask(training.model, arm_named(self.arm), self.first, self.params, training.seed, fold)
        return training.run(task, self.plan[fold], self._state(fold), log)

    def _state(self, fold: str) -> ResumeState:
        name, facts = f"fusion_{self.arm}", [self.arm, fold, self.facts]
        return self.training.resume(self.states, name, self.plan[fold], facts)


def folds(arm: Arm, params: TrainFusion, reported: Sequence[str], benchmark: Path) -> dict[str, list[str]]:
    """What an arm's modules are trained on: {the dataset left out, or `EVERY`: the datasets trained on}."""
    if not arm.left_out:
        return {EVERY: [params.dataset]}
    return _leave_one_out(params.domains or [d for d in reported if (benchmark / d / "fit").is_dir()], reported)


def _leave_one_out(domains: Sequence[str], reported: Collection[str]) -> dict[str, list[str]]:
    """{the dataset left out: the domains trained on}, and `EVERY` for reported datasets that are no domain.

    Raises UserError where leaving one out leaves nothing.
    """
    if len(domains) < 2:
        raise UserError(
            f"Leaving one domain out needs two with a fit split; there are {len(domains)}.",
            "Give several data.NAME.split a share for `fit`, or take its arm out of train_fusion.arms.",
        )
    found = {left: [name for name in domains if name != left] for left in domains if left in reported}
    return found | ({} if set(reported) <= set(domains) else {EVERY: list(domains)})
