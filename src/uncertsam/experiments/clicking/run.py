"""Clicking on a fixed subset of every dataset: which masks, which methods, and all rounds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from uncertsam.base.errors import UserError, suggestion
from uncertsam.base.registry import load_method
from uncertsam.config.clicking import Clicking
from uncertsam.config.params import Config
from uncertsam.data.format import Split, read_split
from uncertsam.experiments.clicking._rounds import ClickingTask
from uncertsam.experiments.clicking.table import COLUMNS
from uncertsam.experiments.subset import drawn
from uncertsam.inference.algebra import Method
from uncertsam.models.promptable import PromptableModel
from uncertsam.models.store import open_embeddings


def subset(benchmark: Path, split: str, reported: Sequence[str], knobs: Clicking) -> dict[str, Split]:
    """The masks of each dataset that are clicked at. Raises UserError where one is not reported or has no masks."""
    names = knobs.datasets or reported
    for name in names:
        if name not in reported:
            raise UserError(f"clicking.datasets: {name!r} is not reported.", suggestion(name, reported))
    return {n: drawn(read_split(benchmark / n / split), knobs.images, knobs.masks, knobs.seed) for n in names}


def built(config: Config, model: PromptableModel, fitted: Path) -> dict[str, Method]:
    """The methods that are asked, with their fitted parts."""
    there, found = config.methods, {}
    for name in [name for name in config.clicking.methods if name in there] or list(there)[:1]:
        kind = load_method(name)
        part = fitted / kind.FITTED if kind.FITTED else None
        found[name] = kind.build(there[name], model, part)
    return found


def clicked(
    model: PromptableModel, embeddings: Path, chosen: Mapping[str, Split], methods: Mapping[str, Method],
    knobs: Clicking, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """The table of `table.COLUMNS`. embeddings: data/embeddings."""
    rows = []
    for dataset, split in chosen.items():
        bench = ClickingTask(model, open_embeddings(embeddings / dataset, model), split, dataset, seed, knobs)
        for image in tqdm(split, f"click at {dataset}", disable=None):
            rows += list(bench.rows(image, methods))
    return pd.DataFrame(rows, columns=COLUMNS)
