"""The whole control: model, posterior, calibration images and subset, put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.config.params import Config
from uncertsam.config.training import FitLaplace
from uncertsam.data.format import Split, read_split
from uncertsam.experiments.controls._measure import all_controls, mean_nll, measured
from uncertsam.experiments.controls.single import single_controls
from uncertsam.experiments.subset import drawn
from uncertsam.inference.algebra import Method
from uncertsam.inference.predictions import PromptSet
from uncertsam.methods.laplace import Laplace
from uncertsam.methods.laplace_closed import LaplaceClosed
from uncertsam.methods.posterior.examples import read_examples
from uncertsam.methods.posterior.fit import fit
from uncertsam.methods.posterior.state import LaplaceState, load
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.store import open_embeddings


@dataclass(frozen=True)
class ControlInputs:
    """Where everything is: a model, data/benchmark, data/embeddings, the fitted posterior, params.yaml."""

    model: PromptableModel
    benchmark: Path
    embeddings: Path
    fitted: Path
    config: Config

    def single(self) -> dict[str, Method]:
        """The one-at-a-time controls, refits and choices by validation included."""
        state, like = load(self.fitted, self.model), self.config.fit_laplace
        knobs, calibration = self.config.ablate, self.calibration()
        return single_controls(state, like, knobs, self.fit, lambda s: mean_nll(calibration, LaplaceClosed(s, False)))

    def run(self, subset: Mapping[str, Split], single: Mapping[str, Method]) -> pd.DataFrame:
        """The long table of all controls, those of the factorial too, on {dataset: its chosen images and masks}."""
        samples = self.config.ablate.factorial_samples
        controls = all_controls(Laplace(load(self.fitted, self.model), samples, False), single)
        progress = partial(tqdm, desc="ablate", disable=None)
        parts = [measured(self.asked(split, name), controls, progress) for name, split in subset.items()]
        return pd.concat(parts, ignore_index=True)

    def fit(self, like: FitLaplace) -> LaplaceState:
        """A posterior fitted with other parameters, on what the fitted one was fitted on."""
        dataset, seed = self.config.fit.dataset, self.config.base.seed
        split, store = (
            read_split(self.benchmark / dataset / "fit"),
            open_embeddings(self.embeddings / dataset, self.model),
        )
        return fit(self.model, read_examples(self.model, store, split, like, seed, dataset), like)

    def calibration(self) -> PromptSet:
        """The images that validation looks at. Raises UserError where the dataset has no calibrate split."""
        knobs = self.config.ablate
        root = self.benchmark / knobs.calibrate / "calibrate"
        if not root.is_dir():
            raise UserError(
                f"{knobs.calibrate} has no calibrate split.",
                f"Give data.{knobs.calibrate}.split a share for `calibrate`, or set ablate.calibrate to another one.",
            )
        split = drawn(read_split(root), knobs.calibrate_images, knobs.masks, knobs.seed)
        return self.asked(split, knobs.calibrate)

    def asked(self, split: Split, dataset: str) -> PromptSet:
        """Images of a dataset, ready to be asked about."""
        store = open_embeddings(self.embeddings / dataset, self.model)
        return PromptSet(self.model, store, split, dataset, self.config.base.seed)
