"""Fusion can use information where there is some: told of the true mask and the true error, it clearly helps."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

import uncertsam.experiments.refinement._refine as refine
from uncertsam.config.arms import arm_named
from uncertsam.config.training import TrainFusion
from uncertsam.data.format import read_split
from uncertsam.experiments.refinement._refine import truth_logits
from uncertsam.experiments.refinement._task import FusionTask
from uncertsam.models.checkpoints import load_model
from uncertsam.models.geometry import Geometry
from uncertsam.models.select import TokenPolicy, select
from uncertsam.models.store import StreamedEmbeddings
from uncertsam.training.engine import one_device, train
from uncertsam.training.examples import Example, SplitExamples
from uncertsam.training.resume import ResumeState
from uncertsam.training.task import Mode, Step

ROOT = Path(__file__).resolve().parents[3]
PARAMS = TrainFusion(
    dataset="golden", arms=["la"], epochs=18, learning_rate=5e-3, warmup=0, cooldown=0.2, objects=2, steps=2,
    box_probability=1.0, flip=0.0, validate_every=3, resolution=64,
)  # fmt: skip


@dataclass
class Told:
    """What the tests whisper to the module: the truth of the image at hand, and SAM 2's error on it."""

    geometry: Geometry
    masks: list[Tensor] = field(default_factory=list)
    error: list[Tensor] = field(default_factory=list)

    def first(self, inputs) -> Tensor:
        truth = truth_logits(self.masks[0], self.geometry)
        plain = select(inputs.decoded, TokenPolicy(token=0, gate=False)).logits
        self.error[:] = [(plain.sigmoid() - truth.sigmoid()).abs()]
        return truth


def test_a_module_that_is_told_the_true_mask_and_error_beats_no_refinement(monkeypatch, tmp_path) -> None:
    model = load_model("sam2_nano", ROOT / "checkpoints" / "sam2_nano.safetensors", torch.device("cpu"))
    split, told = read_split(ROOT / "data" / "golden"), Told(model.geometry)
    monkeypatch.setattr(refine, "uncertainty_map", lambda kind, logits: told.error[0])

    class Informed(FusionTask):
        def loss(self, example: Example, step: Step, mode: Mode) -> tuple[Tensor, dict[str, float]]:
            told.masks[:] = [example.masks]
            return super().loss(example, step, mode)

    task = Informed(model, arm_named("sam_entropy"), told.first, PARAMS, 0, "every domain")
    store, images = StreamedEmbeddings(model, torch.float32), list(split)
    fit, held_out = (SplitExamples(model, store, split, part, "golden", PARAMS, 0) for part in (images[:6], images[6:]))
    devices, resume = one_device(model.device, "32-true"), ResumeState(tmp_path, "truth", [])
    found = train(task, fit, held_out, PARAMS, 0, resume, lambda step, values: None, devices)
    unrefined = found.curve[0][-1]  # the identity start is exactly the unrefined mask
    assert found.best_loss < 0.9 * unrefined


@pytest.mark.parametrize("file", sorted((ROOT / "reports").glob("*/train_fusion_*.csv")), ids=lambda path: path.stem)
def test_each_trained_arm_ends_no_worse_than_the_unrefined_mask_on_held_out_images(file: Path) -> None:
    """Of the committed run: the best weights, which are the ones that are used."""
    for fold, curve in pd.read_csv(file).groupby("fold"):
        losses = curve["held_out_loss"].dropna()
        assert losses.min() <= losses.iloc[0] + 0.01, fold
