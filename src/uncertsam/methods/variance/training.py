"""Training the variance network on one dataset's fit split."""

from dataclasses import dataclass
from pathlib import Path

from uncertsam.base.rng import derive_seed
from uncertsam.config.training import TrainVariance
from uncertsam.data.format import Split
from uncertsam.methods.variance._loss import VarianceLoss
from uncertsam.methods.variance.network import build_network
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.store import Embeddings
from uncertsam.training.engine import Devices, Log, Trained, train
from uncertsam.training.examples import SplitExamples, parted
from uncertsam.training.resume import ResumeState, code_digest

CODE = ("training", "models", "inference", "methods/variance", "base/rng.py")


@dataclass(frozen=True)
class Training:
    """What one training depends on. seed: of the experiment."""

    model: PromptableModel
    store: Embeddings
    split: Split
    dataset: str
    params: TrainVariance
    seed: int
    devices: Devices

    def run(self, resume: ResumeState, log: Log) -> Trained:
        """Train, or go on from `resume`. SAM's own weights are frozen. Raises what `train` raises."""
        self.model.freeze()
        params = self.params
        network = build_network(self.model, params.token, derive_seed(self.seed, "variance"))
        side = self.model.image_size if params.resolution == "input" else params.resolution
        fit, held_out = (
            SplitExamples(self.model, self.store, self.split, images, self.dataset, params, self.seed)
            for images in parted(self.split, params.held_out, params.most_images)
        )
        loss = VarianceLoss(self.model, network, params.steps, side)
        return train(network, loss, fit, held_out, params, self.seed, resume, log, self.devices)

    def resume(self, folder: Path) -> ResumeState:
        """Where the state is kept: the same only for the same code, model, parameters, data and devices."""
        data = [self.dataset, *sorted(image.sha256 for image in self.split)]
        machine = [str(self.model.device), self.devices.world_size]
        facts = [self.params.model_dump(), self.seed, data, self.model.digest, machine, code_digest(*CODE)]
        return ResumeState(folder, "variance", facts)
