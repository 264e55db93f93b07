"""Training one arm: on the general fit set, or once per domain that is left out."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256
from uncertsam.base.rng import derive_seed
from uncertsam.config.arms import Arm, arm_named
from uncertsam.config.training import TrainFusion
from uncertsam.data.format import Split, read_split
from uncertsam.experiments.refinement._loss import FusionLoss
from uncertsam.experiments.refinement.first_pass import FirstPass
from uncertsam.experiments.refinement.fusion import EVERY, build_fusion, save
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.select import TokenPolicy
from uncertsam.models.store import Embeddings, open_embeddings
from uncertsam.training.engine import Devices, Log, Trained, train
from uncertsam.training.examples import Mixed, SplitExamples, parted
from uncertsam.training.resume import ResumeState, code_digest
from uncertsam.training.summary import outcome, write_curve

CODE = ("experiments/refinement", "training", "models", "inference", "methods", "base/rng.py")
FoldLog = Callable[[str, int, dict[str, float]], None]


@dataclass(frozen=True)
class Domain:
    """A dataset's fit split and its embeddings."""

    name: str
    split: Split
    store: Embeddings

    @classmethod
    def read(cls, name: str, benchmark: Path, embeddings: Path, model: PromptableModel) -> "Domain":
        """From `benchmark`/NAME/fit. Raises UserError where there is none."""
        folder = benchmark / name / "fit"
        if not folder.is_dir():
            raise UserError(
                f"{name} has no fit split.",
                f"Give data.{name}.split a share for `fit`, or leave it out of train_fusion.domains.",
            )
        return cls(name, read_split(folder), open_embeddings(embeddings / name, model))

    @property
    def digest(self) -> str:
        return sha256(self.split.root / "annotations" / "dataset.json")


@dataclass(frozen=True)
class Training:
    """What the folds of an arm share. facts: hashes of the fitted parts that it reads. seed: of the experiment."""

    arm: str
    model: PromptableModel
    first: FirstPass
    params: TrainFusion
    facts: Any
    seed: int
    devices: Devices

    def run(self, fold: str, domains: Sequence[Domain], resume: ResumeState, log: Log) -> Trained:
        """Train one module. All arms begin with the same weights and see the same images and prompts.

        The network's own weights are frozen, for good.
        """
        self.model.freeze()
        arm = arm_named(self.arm)
        params = _decayed(self.params, arm)
        fusion = build_fusion(self.model, params.init, derive_seed(self.seed, "fusion", fold))
        side = self.model.image_size if params.resolution == "input" else params.resolution
        policy = TokenPolicy(token=params.token, gate=params.gate)
        loss = FusionLoss(self.model, fusion, self.first, arm.map, policy, params.steps, side)
        fit, held_out = self._examples(domains)
        return train(fusion, loss, fit, held_out, params, self.seed, resume, log, self.devices)

    def resume(self, folder: Path, fold: str, domains: Sequence[Domain]) -> ResumeState:
        """Where a fold's state is kept: the same only for the same code, model, parameters, data and devices."""
        data = {d.name: sorted(image.sha256 for image in d.split) for d in domains}
        machine = [str(self.model.device), self.devices.world_size]
        params = [self.arm, fold, self.params.model_dump(), self.seed]
        facts = [*params, self.facts, data, self.model.digest, machine, code_digest(*CODE)]
        return ResumeState(folder, f"fusion_{self.arm}", facts)

    def _examples(self, domains: Sequence[Domain]) -> tuple[Mixed, Mixed]:
        parts: tuple[list[SplitExamples], list[SplitExamples]] = ([], [])
        for domain in domains:
            share = parted(domain.split, self.params.held_out, self.params.most_images)
            for part, images in zip(parts, share, strict=True):
                part.append(
                    SplitExamples(self.model, domain.store, domain.split, images, domain.name, self.params, self.seed)
                )
        return Mixed(parts[0]), Mixed(parts[1])


Plan = Mapping[str, Sequence[Domain]]  # the dataset left out, or `EVERY`: trained on


def train_folds(training: Training, plan: Plan, folder: Path, log: FoldLog) -> dict[str, Trained]:
    """Train every fold; their states stay in `folder` until `forget`."""
    return {
        fold: training.run(fold, domains, training.resume(folder, fold, domains), partial(log, fold))
        for fold, domains in plan.items()
    }


def forget(training: Training, plan: Plan, folder: Path) -> None:
    """Remove the folds' states: their weights are written."""
    for fold, domains in plan.items():
        training.resume(folder, fold, domains).clear()


def write(folder: Path, curve: Path, training: Training, plan: Plan, found: Mapping[str, Trained]) -> None:
    """The best weights of all folds, and the training curves: fold, and the engine's columns."""
    facts = {fold: {"data": {d.name: d.digest for d in plan[fold]}, **outcome(t)} for fold, t in found.items()}
    weights = {fold: trained.best for fold, trained in found.items()}
    last = {fold: trained.last for fold, trained in found.items()}
    save(folder, training.arm, training.model, training.params.model_dump(), weights, facts, last)
    rows = [[fold, *row] for fold, trained in found.items() for row in trained.curve]
    write_curve(rows, curve, "fold")


def _decayed(params: TrainFusion, arm: Arm) -> TrainFusion:
    """The parameters with the arm's own weight decay."""
    if arm.map == "ones" and params.weight_decay_ones is not None:
        return params.model_copy(update={"weight_decay": params.weight_decay_ones})
    return params


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
