"""Training on the fit splits of datasets: what the trained parts of a frozen model share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256
from uncertsam.config.training import TrainParams
from uncertsam.data.format import Split, read_split
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.store import Embeddings, open_embeddings
from uncertsam.training.engine import Devices, Log, Trained, train
from uncertsam.training.examples import Example, Mixed, SplitExamples, parted
from uncertsam.training.resume import ResumeState, code_digest
from uncertsam.training.task import Task


@dataclass(frozen=True)
class Domain:
    """A dataset's fit split and its embeddings."""

    name: str
    split: Split
    store: Embeddings

    @classmethod
    def read(cls, name: str, benchmark: Path, embeddings: Path, model: PromptableModel) -> "Domain":
        """From the dataset's own two folders. Raises UserError where it has no fit split, or embeddings are missing."""
        folder = benchmark / "fit"
        if not folder.is_dir():
            remedy = f"Give data.{name}.split a share for `fit`, or train on other datasets."
            raise UserError(f"{name} has no fit split.", remedy)
        return cls(name, read_split(folder), open_embeddings(embeddings, model))

    @property
    def digest(self) -> str:
        return sha256(self.split.root / "annotations" / "dataset.json")


@dataclass(frozen=True)
class Training:
    """What the trainings of a stage share. seed: of the experiment. code: the parts of the package that they run."""

    model: PromptableModel
    params: TrainParams
    seed: int
    devices: Devices
    code: tuple[str, ...]

    def run(self, task: Task[Example], domains: Sequence[Domain], resume: ResumeState, log: Log) -> Trained:
        """Train on the domains' images, or go on from `resume`. Raises what `train` raises."""
        fit, held_out = self._examples(domains)
        return train(task, fit, held_out, self.params, self.seed, resume, log, self.devices)

    def resume(self, folder: Path, name: str, domains: Sequence[Domain], facts: Any) -> ResumeState:
        """Where the state is kept: the same only for the same code, model, parameters, data, devices and `facts`."""
        data = {d.name: sorted(image.sha256 for image in d.split) for d in domains}
        machine = [str(self.model.device), self.devices.world_size]
        params = [self.params.model_dump(), self.seed, facts]
        return ResumeState(folder, name, [*params, data, self.model.digest, machine, code_digest(*self.code)])

    def _examples(self, domains: Sequence[Domain]) -> tuple[Mixed, Mixed]:
        """To train on, and to choose the best weights by."""
        parts: tuple[list[SplitExamples], list[SplitExamples]] = ([], [])
        for domain in domains:
            shares = parted(domain.split, self.params.held_out, self.params.most_images)
            for part, images in zip(parts, shares, strict=True):
                one = (self.model, domain.store, domain.split, images, domain.name, self.params, self.seed)
                part.append(SplitExamples(*one))
        return Mixed(parts[0]), Mixed(parts[1])
