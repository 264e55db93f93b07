"""The whole control: model, posterior, calibration images and subset, put together."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.config.training import FitLaplace
from uncertsam.data.format import Split, read_split
from uncertsam.data.splits import check_unseen
from uncertsam.experiments.bench import Bench
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


def single_of(bench: Bench) -> dict[str, Method]:
    """The one-at-a-time controls, refits and choices by validation included."""
    asked = calibration(bench)
    return single_controls(
        _posterior(bench), bench.config.fit_laplace, bench.config.ablate, partial(_fit, bench),
        lambda state: mean_nll(asked, LaplaceClosed(state, False)),
    )  # fmt: skip


def controlled(bench: Bench, subset: Mapping[str, Split], single: Mapping[str, Method]) -> pd.DataFrame:
    """The long table of all controls, those of the factorial too, on {dataset: its chosen images and masks}."""
    controls = all_controls(Laplace(_posterior(bench), bench.config.ablate.factorial_samples, False), single)
    progress = partial(tqdm, desc="ablate", disable=None)
    parts = [measured(bench.prompts(name, split), controls, progress) for name, split in subset.items()]
    return pd.concat(parts, ignore_index=True)


def calibration(bench: Bench) -> PromptSet:
    """The images that validation looks at."""
    knobs = bench.config.ablate
    split = drawn(read_split(_validated(bench)), knobs.calibrate_images, knobs.masks, knobs.seed)
    return bench.prompts(knobs.calibrate, split)


def check_fitted_elsewhere(bench: Bench, subset: Mapping[str, Split]) -> None:
    """Raise UserError where the posterior was fitted, or is to be validated, on an image of the subset."""
    check_unseen(subset, bench.benchmark / bench.config.fit.dataset / "fit", _validated(bench))


def _validated(bench: Bench) -> Path:
    """The split of validation. Raises UserError where the dataset has none."""
    name = bench.config.ablate.calibrate
    if not (root := bench.benchmark / name / "calibrate").is_dir():
        raise UserError(
            f"{name} has no calibrate split.",
            f"Give data.{name}.split a share for `calibrate`, or set ablate.calibrate to another one.",
        )
    return root


def _posterior(bench: Bench) -> LaplaceState:
    return load(bench.fitted / "laplace", bench.model)


def _fit(bench: Bench, like: FitLaplace) -> LaplaceState:
    """A posterior fitted with other parameters, on what the fitted one was fitted on."""
    dataset = bench.config.fit.dataset
    split = read_split(bench.benchmark / dataset / "fit")
    return fit(bench.model, read_examples(bench.model, bench.store(dataset), split, like, bench.seed, dataset), like)
