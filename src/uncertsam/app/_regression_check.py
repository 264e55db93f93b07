"""The golden slice: eight pictures with expected values, which tell a changed code from another machine.

`images/` and `annotations/` are a benchmark split; `expected.json` holds, per step of the pipeline, what came out when
it was recorded; `maps.safetensors` the maps of the method `sam`, so that metrics are judged apart from the model.
"""

import hashlib
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from uncertsam.base.errors import UserError
from uncertsam.base.files import write_json
from uncertsam.config.training import FitLaplace
from uncertsam.data.format import Split, read_split
from uncertsam.metrics.measure import measure_cell
from uncertsam.metrics.stored import PART, read_measure
from uncertsam.statistics.table import at_default

SAME, MACHINE = 1e-6, 5e-3  # largest difference, of value / (1 + |value|): equal but for print, and by rounding alone
WATCHED = ("iou", "boundary_iou_0.02", "pearson", "spearman", "brier", "nll", "ece", "aurc", "augrc", "auroc", "mean_u")
NAME, STORED = "golden", "sam"
PACKAGES = ("torch", "torchvision", "numpy", "opencv-python-headless", "pillow", "scipy", "sam2", "laplace-torch")
Values = dict[str, float]
Sections = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class StepCheck:
    """One step of the pipeline: the worst of its values, and how far it is from what was expected."""

    step: str
    difference: float
    worst: str

    @property
    def verdict(self) -> str:
        """In words."""
        if self.difference <= SAME:
            return "as recorded"
        return "differs as machines do" if self.difference <= MACHINE else "CHANGED"


def verify(folder: Path, name: str, weights: Path) -> list[StepCheck]:
    """Run the pipeline on the slice and compare, step by step, upstream first.

    Raises UserError where the slice is missing, or was recorded with other weights.
    """
    expected = _expected(folder)
    params = expected["params"]
    found = _observe(folder, name, weights, params["methods"], FitLaplace(**params["fit_laplace"]))
    if found["weights"] != expected["weights"]:
        raise UserError(
            f"{folder} was recorded with other weights than {weights}.",
            "Set base.model to the embedded one (uncertsam use demo).",
        )
    steps = sorted(expected["steps"], key=_place)
    return [_finding(step, expected["steps"][step], found["steps"].get(step, {})) for step in steps]


def _place(step: str) -> tuple[int, str]:
    """Upstream first."""
    order = ("pixels", "fit_laplace", "predict", "measure stored maps", "measure")
    return next(i for i, kind in enumerate(order) if step.startswith(kind)), step


def explain(findings: list[StepCheck]) -> str:
    """What the differences mean: the first changed step is where to look."""
    changed = [f for f in findings if f.verdict == "CHANGED"]
    if changed:
        return f"the code changed, or a library did: look at {changed[0].step} first ({changed[0].worst})"
    if any(f.verdict != "as recorded" for f in findings):
        return "the code is the same; another machine or library rounds differently"
    return "everything is as recorded"


def record(folder: Path, name: str, weights: Path, methods: Sections, fit: FitLaplace) -> None:
    """Make what comes out now the expected values; `methods` holds the parameters of each method."""
    found = _observe(folder, name, weights, methods, fit, keep=folder / "maps.safetensors")
    params = {"methods": methods, "fit_laplace": fit.model_dump()}
    write_json(folder / "expected.json", found | {"params": params, "recorded_with": _versions()})


def _observe(
    folder: Path, name: str, weights: Path, methods: Sections, fit: FitLaplace, keep: Path | None = None
) -> dict[str, Any]:
    """Everything the slice looks at: {"weights": hash, "steps": {step: {value's name: value}}}."""
    import torch

    from uncertsam.base.registry import load_method
    from uncertsam.inference.predictions import PredictionTask, predict_cell
    from uncertsam.models.checkpoints import load_model
    from uncertsam.models.store import StreamedEmbeddings

    split = read_split(folder)
    model = load_model(name, weights, torch.device("cpu"))
    store = StreamedEmbeddings(model, torch.float32)
    steps = {"pixels": _pixels(split)}
    with TemporaryDirectory() as scratch:
        fitted = Path(scratch) / "fitted"
        if "laplace" in methods:
            steps["fit_laplace"] = _fitted(model, store, split, fit, fitted)
        for method, section in methods.items():
            kind, out = load_method(method), Path(scratch) / method
            built = kind.build(kind.Params(**section), model, fitted if kind.FITTED else None)
            predict_cell(PredictionTask(model, built, store, split, NAME, 0), out, {"method": method, "dataset": NAME})
            if method == STORED and keep:
                keep.write_bytes((out / "maps.safetensors").read_bytes())
            steps[f"predict {method}"] = _maps(out)
            steps[f"measure {method}"] = _measured(out, folder, method)
        steps["measure stored maps"] = _stored(Path(scratch) / STORED, folder)
    return {"weights": model.digest, "steps": steps}


def _stored(cell: Path, folder: Path) -> Values:
    """The metrics of the recorded maps: no model is between them and the metrics' code."""
    (cell / "maps.safetensors").write_bytes((folder / "maps.safetensors").read_bytes())
    return _measured(cell, folder, STORED)


def _pixels(split: Split) -> Values:
    """The start of each decoded picture's hash, as a number."""
    digests = {image.id: hashlib.sha256(split.pixels(image.id).tobytes()).hexdigest() for image in split}
    return {f"image {key}": float(int(digest[:8], 16)) for key, digest in digests.items()}


def _fitted(model: Any, store: Any, split: Split, knobs: FitLaplace, out: Path) -> Values:
    """Fit the posterior on the slice itself; its curvature in a few numbers."""
    from uncertsam.methods.posterior.examples import read_examples
    from uncertsam.methods.posterior.fit import fit
    from uncertsam.methods.posterior.state import save

    state = fit(model, read_examples(model, store, split, knobs, 0, NAME), knobs)
    save(state, out, {})
    return {
        "log prior precision": float(state.prior_precision.log()),
        "log curvature of the weights": _log_sum(state.curvature_weight),
        "log curvature of the biases": _log_sum(state.curvature_bias),
    }


def _log_sum(heads: Sequence[Any]) -> float:
    return math.log(sum(float(each.double().sum()) for each in heads))


def _maps(cell: Path) -> Values:
    """Mean and deviation of each mask's logits, U and its parts."""
    from safetensors.numpy import load_file

    stored, found = load_file(cell / "maps.safetensors"), {}
    kept = {"logits": stored["logits"], "uncertainty": read_measure(cell).of(stored)}
    for name, maps in (kept | {name: part for name, part in stored.items() if name.startswith(PART)}).items():
        for row, values in enumerate(maps.astype(np.float64)):
            found[f"mean of {name} {row}"] = float(values.mean())
            found[f"deviation of {name} {row}"] = float(values.std())
    return found


def _measured(cell: Path, folder: Path, method: str) -> Values:
    """The watched metrics of each mask; NaN is left out."""
    table = at_default(measure_cell(cell, folder, method, NAME).table)
    kept = table[table["metric"].isin(WATCHED)].dropna(subset=["value"])
    keys = zip(kept["metric"], kept["region"], kept["mask_id"], strict=True)
    names = (f"{metric} ({region}) of mask {mask}" for metric, region, mask in keys)
    return dict(zip(names, map(float, kept["value"]), strict=True))


def _finding(step: str, expected: Values, found: Values) -> StepCheck:
    """A value that is missing on either side counts as infinitely far."""
    far = {key: _distance(expected.get(key), found.get(key)) for key in expected.keys() | found.keys()}
    worst = max(sorted(far), key=far.__getitem__)
    told = f"{worst}: expected {expected.get(worst, 'none')}, found {found.get(worst, 'none')}"
    return StepCheck(step, far[worst], told)


def _distance(one: float | None, other: float | None) -> float:
    return float("inf") if one is None or other is None else abs(one - other) / (1 + abs(one))


def _expected(folder: Path) -> dict[str, Any]:
    path = folder / "expected.json"
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}).", "Restore it: git checkout data/golden.") from None
    return values


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "machine": platform.machine()} | {p: version(p) for p in PACKAGES}
