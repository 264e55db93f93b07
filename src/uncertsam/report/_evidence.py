"""A run's tables as evidence: what a claim can be held against, each number with its interval."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float

from uncertsam.metrics.ranking import ratio
from uncertsam.report._published import MODEL, Known, is_published
from uncertsam.statistics.comparisons import tested_datasets
from uncertsam.statistics.intervals import DatasetFacts, limits, resampled_means, resamples

ENOUGH_SETS = 3  # of photos, before a claim over domains is judged on them
SHOWN = 6  # digits that are kept of a number


@dataclass(frozen=True)
class Estimate:
    """A number of this run and its interval (images resampled); low and high are NaN where there is none."""

    value: float
    low: float
    high: float

    def above(self, bound: float) -> bool | None:
        """Whether the number lies above `bound`: None where the interval holds the bound, or there is none."""
        if math.isnan(self.low) or self.low <= bound <= self.high:
            return None
        return self.low > bound


@dataclass(frozen=True)
class Evidence:
    """The long tables of a run by name ("results", "controls"), and what is known of its datasets.

    facts, known: by dataset. model: its name. resamples, alpha, seed: of the bootstrap. margin: what counts as no
    difference. sizes: images and masks over all splits, by dataset.
    """

    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, DatasetFacts]
    known: Mapping[str, Known]
    model: str
    resamples: int = 2000
    alpha: float = 0.05
    margin: float = 0.01
    seed: int = 0
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def reasons(self) -> dict[str, str]:
        """Per dataset why it is not tested, "" where it is."""
        images = self.tables["results"].groupby("dataset")["image_id"].nunique()
        measured = {name: facts for name, facts in self.facts.items() if name in images}
        return tested_datasets(measured, {name: int(images[name]) for name in measured})

    @property
    def published(self) -> list[str]:
        """The paper's own sets that this run tests."""
        return [name for name in self.tested if is_published(name, self.known[name])]

    @property
    def tested(self) -> list[str]:
        """The datasets that are tested: true labels and enough images; worlds only where there are no photos."""
        return sorted(name for name, reason in self.reasons.items() if not reason)

    @property
    def photos(self) -> list[str]:
        """The tested datasets that claims are judged on: the paper's if there are enough of them, else all photos."""
        if len(self.published) >= ENOUGH_SETS:
            return self.published
        return [name for name in self.tested if not self.facts[name].synthetic]

    @property
    def same_model(self) -> bool:
        """Whether the run's model is that of the authors' configurations."""
        return self.model == MODEL

    def methods(self, table: str) -> set[str]:
        """The methods of a table; none where there is no such table."""
        return set(self.tables[table]["method"]) if table in self.tables else set()

    def estimate(self, metric: str, weights: Mapping[tuple[str, str], float]) -> Estimate | None:
        """The sum of weighted means over masks, {(dataset, method): weight}, methods of a dataset on the same masks.

        None where one of them was not measured.
        """
        value, draws = 0.0, np.zeros((self.resamples, 1))
        for dataset in sorted({dataset for dataset, _ in weights}):
            mine = {method: weight for (name, method), weight in weights.items() if name == dataset}
            found = self._weighted(metric, dataset, mine)
            if found is None:
                return None
            value, draws = value + found[0], draws + found[1]
        low, high = limits(draws, 1 - self.alpha)[:, 0]
        return Estimate(*(float(f"{number:.{SHOWN}g}") for number in (value, low, high)))

    def _weighted(
        self, metric: str, dataset: str, weights: Mapping[str, float]
    ) -> tuple[float, Float[np.ndarray, "draws 1"]] | None:
        """One dataset's part, and the same in every resample."""
        wide = self._wide(metric, dataset)
        if wide is None or not set(weights) <= set(wide.columns):
            return None
        combined = sum((weight * wide[method] for method, weight in weights.items()), pd.Series(0.0, wide.index))
        images = combined.groupby(level="image_id")
        sums, counts = images.sum().to_numpy()[:, None], images.count().to_numpy()[:, None]
        drawn = resamples(dataset, len(sums), self.resamples, self.seed)
        return float(ratio(sums.sum(), counts.sum())), resampled_means(sums, counts, drawn)

    def _wide(self, metric: str, dataset: str) -> pd.DataFrame | None:
        """Masks by methods; None where nothing was measured."""
        rows = self._indexed.get((metric, dataset))
        return None if rows is None else rows.pivot(index=["image_id", "mask_id"], columns="method", values="value")

    @cached_property
    def _indexed(self) -> dict[tuple[str, str], pd.DataFrame]:
        """The results' rows of the full region by (metric, dataset)."""
        full = self.tables["results"].query("region == 'full'")
        return {(str(m), str(d)): rows for (m, d), rows in full.groupby(["metric", "dataset"])}


def mean_over(datasets: Sequence[str], methods: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Weights for `Evidence.estimate`: the mean over datasets of a sum of weighted methods."""
    return {(d, m): weight / len(datasets) for d in datasets for m, weight in methods.items()}


def difference(datasets: Sequence[str], better: str, other: str) -> dict[tuple[str, str], float]:
    """Weights for the mean over datasets of `better` less `other`."""
    return mean_over(datasets, {better: 1.0, other: -1.0})


def missing(needed: Iterable[str], there: Iterable[str]) -> list[str]:
    """Those of `needed` that are not there, in order."""
    found = set(there)
    return [name for name in needed if name not in found]
