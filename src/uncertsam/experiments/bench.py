"""What an experiment is run on: the parameters, and the folders that its stage was given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from uncertsam.base.errors import UserError, suggestion
from uncertsam.base.registry import load_method
from uncertsam.config.clicking import Clicking
from uncertsam.config.params import Base, Control, Model, Params, Predict, Tabulate
from uncertsam.data.format import Split, read_split
from uncertsam.experiments.subset import drawn

if TYPE_CHECKING:
    from uncertsam.inference.algebra import Method
    from uncertsam.inference.predictions import PromptSet
    from uncertsam.models.promptable import PromptableModel
    from uncertsam.models.store import Embeddings


@dataclass(frozen=True)
class Bench:
    """data/benchmark, data/embeddings, data/fitted, data/predictions, the weights; what no stage needs is left out."""

    params: Params
    benchmark: Path
    embeddings: Path = Path()
    weights: Path = Path()
    fitted: Path = Path()
    predictions: Path = Path()

    @property
    def seed(self) -> int:
        return self.params.section("base", Base).seed

    @property
    def draws(self) -> int:
        """Resamples of a bootstrap."""
        return self.params.section("tabulate", Tabulate).resamples

    @property
    def fitted_on(self) -> list[Path]:
        """The splits on which something was fitted."""
        return self.params.fitted_on(self.benchmark)

    def split(self, dataset: str) -> Split:
        """The reported split of a dataset."""
        return read_split(self.benchmark / dataset / self.params.section("predict", Predict).split)

    def datasets(self, section: str, named: Sequence[str] | None) -> list[str]:
        """Those that a section names, or all reported ones. Raises UserError where one is not reported."""
        reported = self.params.names("datasets")
        for name in named or []:
            if name not in reported:
                raise UserError(f"{section}.datasets: {name!r} is not reported.", suggestion(name, reported))
        return list(named or reported)

    def methods(self, named: Sequence[str]) -> list[str]:
        """Those of the named methods that are predicted, or else the first that is."""
        there = self.params.names("methods")
        return [name for name in named if name in there] or there[:1]

    def subset(self, section: str, knobs: Clicking | Control) -> dict[str, Split]:
        """The images and masks of each dataset that a section draws. Raises UserError where one has no masks."""
        names = self.datasets(section, knobs.datasets)
        return {name: drawn(self.split(name), knobs.images, knobs.masks, knobs.seed) for name in names}

    @cached_property
    def model(self) -> "PromptableModel":
        """The model of params.yaml on its device, with its number of threads."""
        from uncertsam.models.checkpoints import device_named, load_model
        from uncertsam.models.store import set_threads

        base = self.params.section("base", Base)
        set_threads(base.threads)
        return load_model(self.params.section("model", Model).name, self.weights, device_named(base.device))

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
        built: Method = kind.build(self.params.section(name, kind.Params), self.model, self.part(name))
        return built
