"""Are the machine-readable reports what they say? Schemas, ranges, agreement, and a sample recomputed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from uncertsam.base.errors import UserError
from uncertsam.base.rng import numpy_generator
from uncertsam.config.arms import is_refined
from uncertsam.data.format import Split, read_split
from uncertsam.experiments.contract import Experiment, tables_of
from uncertsam.metrics.masks import Key, examine_mask
from uncertsam.metrics.region import TruthSide
from uncertsam.metrics.stored import Predictions
from uncertsam.report._consistency import AGAIN, subjects
from uncertsam.statistics.table import broken

CLOSE = 1e-4  # recomputing sorts exactly, where the pipeline may use a histogram that is right within 1e-5


@dataclass(frozen=True)
class Places:
    """Where things are: reports/, data/benchmark, data/predictions/MODEL, data/refined/MODEL; the reported split."""

    reports: Path
    benchmark: Path
    predictions: Path
    refined: Path
    split: str


def problems(places: Places, cells: int, seed: int, experiments: Sequence[Experiment]) -> list[str]:
    """Everything that is wrong, a line each; `cells` random values are recomputed from mask and stored logits.

    Raises UserError where a file is missing or unreadable.
    """
    tables = tables_of(places.reports)
    results = tables["results.parquet"]
    if lines := list(broken(results)):
        return lines
    return [
        *(line for wrong in [*subjects().values(), *(e.contradictions for e in experiments)] for line in wrong(tables)),
        *_figures(places.reports / "figures"),
        *_recomputed(places, results, cells, seed),
    ]


def _figures(folder: Path) -> Iterator[str]:
    """Every figure as SVG and PNG, with the numbers it draws."""
    stems = {path.stem for path in folder.glob("*.*")}
    if not stems:
        yield f"{folder} holds no figures"
    for stem in sorted(stems):
        for suffix in (".svg", ".png", ".csv"):
            if not (folder / f"{stem}{suffix}").is_file():
                yield f"figures/{stem}{suffix} is missing"
        table = folder / f"{stem}.csv"
        if table.is_file() and _empty(table):
            yield f"figures/{stem}.csv holds no numbers"


def _empty(path: Path) -> bool:
    try:
        return pd.read_csv(path).empty
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", AGAIN) from None


def _recomputed(places: Places, results: pd.DataFrame, cells: int, seed: int) -> Iterator[str]:
    """Values drawn at random, computed again from the truth and the stored maps."""
    chosen = numpy_generator(seed, "check").choice(len(results), min(cells, len(results)), replace=False)
    masks: Any = results.iloc[np.sort(chosen)].groupby(["dataset", "method", "mask_id"])
    for (dataset, method, mask_id), rows in masks:
        again = _again(places, dataset, method, mask_id)
        keys = rows[["measure", "level", "metric", "region"]].itertuples(index=False, name=None)
        for key, value in zip(keys, rows["value"], strict=True):
            if not np.isclose(again.get(key, np.inf), value, rtol=CLOSE, atol=CLOSE, equal_nan=True):
                name = f"{key[2]} ({key[3]}) by {key[0]} of mask {mask_id}, {method}, {dataset}"
                yield f"results.parquet: {name} is {value:.6g}, recomputed {again.get(key, np.nan):.6g}"


def _again(places: Places, dataset: str, method: str, mask_id: int) -> dict[Key, float]:
    """All numbers of one mask, pixels ranked by sorting."""
    split = read_split(places.benchmark / dataset / places.split)
    owners = {a.id: a.image_id for annotations in split.annotations.values() for a in annotations}
    answers = places.refined if is_refined(method) else places.predictions
    stored = Predictions.open(answers / dataset / method, owners).of(mask_id)
    side = TruthSide.of(_truth_of(split, owners[mask_id], mask_id), split.ignored(owners[mask_id]))
    return examine_mask(side, stored, "exact")[0]


def _truth_of(split: Split, image_id: int, mask_id: int) -> np.ndarray:
    return split.mask(next(a for a in split.annotations[image_id] if a.id == mask_id))
