"""What an experiment is run on: the parameters, and the folders that its stage was given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from uncertsam.base.errors import UserError, suggestion
from uncertsam.base.registry import load_method
from uncertsam.config.clicking import Clicking
from uncertsam.config.params import Config
from uncertsam.config.sections import Ablate
from uncertsam.data.format import Split, read_split
from uncertsam.experiments.subset import drawn

if TYPE_CHECKING:
    from uncertsam.inference.algebra import Method
    from uncertsam.inference.predictions import PromptSet
    from uncertsam.models.promptable import PromptableModel
    from uncertsam.models.store import Embeddings


@dataclass(frozen=True)
class Bench:
    """params.yaml, data/benchmark, and of `base.model` what the stage needs: embeddings, fitted parts, predictions.

    tokens: of all models, by dataset and split.
    """

    config: Config
    benchmark: Path
    embeddings: Path = Path()
    fitted: Path = Path()
    predictions: Path = Path()
    tokens: Path = Path()

    @property
    def seed(self) -> int:
        return self.config.base.seed

    @property
    def draws(self) -> int:
        """Resamples of a bootstrap."""
        return self.config.tabulate.resamples

    @property
    def fitted_on(self) -> list[Path]:
        """The splits on which something was fitted."""
        return self.config.fitted_on(self.benchmark)

    def split(self, dataset: str) -> Split:
        """The reported split of a dataset."""
        return read_split(self.benchmark / dataset / self.config.predict.split)

    def datasets(self, section: str, named: Sequence[str] | None) -> list[str]:
        """Those that a section names, or all reported ones. Raises UserError where one is not reported."""
        reported = self.config.datasets
        for name in named or []:
            if name not in reported:
                raise UserError(f"{section}.datasets: {name!r} is not reported.", suggestion(name, reported))
        return list(named or reported)

    def methods(self, named: Sequence[str]) -> list[str]:
        """Those of the named methods that are predicted, or else the first that is."""
        there = list(self.config.methods)
        return [name for name in named if name in there] or there[:1]

    def subset(self, section: str, knobs: Clicking | Ablate) -> dict[str, Split]:
        """The images and masks of each dataset that a section draws. Raises UserError where one has no masks."""
        names = self.datasets(section, knobs.datasets)
        return {name: drawn(self.split(name), knobs.images, knobs.masks, knobs.seed) for name in names}

    @cached_property
    def model(self) -> "PromptableModel":
        """The model of params.yaml on its device, with its number of threads."""
        from uncertsam.models.checkpoints import device_named, load_model
        from uncertsam.models.store import set_threads

        base, chosen = self.config.base, self.config.model
        set_threads(base.threads)
        return load_model(chosen.name, chosen.weights, device_named(base.device))

    @cached_property
    def models(self) -> "list[PromptableModel]":
        """All models of params.yaml, in their order."""
        from uncertsam.models.checkpoints import device_named, load_model

        device = device_named(self.config.base.device)
        others = self.config.models.items()
        return [self.model if name == self.model.name else load_model(name, m.weights, device) for name, m in others]

    def store(self, dataset: str) -> "Embeddings":
        """The embeddings of a dataset."""
        from uncertsam.models.store import open_embeddings

        return open_embeddings(self.embeddings / dataset, self.model)

    def prompts(self, dataset: str, split: Split) -> "PromptSet":
        """Images of a dataset, ready to be asked about."""
        from uncertsam.inference.predictions import PromptSet

        return PromptSet(self.model, self.store(dataset), split, dataset, self.seed)

    def part(self, method: str) -> Path | None:
        """What was fitted for a method; None where nothing is."""
        fitted = load_method(method).FITTED
        return self.fitted / fitted if fitted else None

    def method(self, name: str) -> "Method":
        """A method with its section of the parameters and its fitted part."""
        kind = load_method(name)
        built: Method = kind.build(self.config.methods[name], self.model, self.part(name))
        return built
