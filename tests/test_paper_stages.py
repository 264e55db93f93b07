"""Every stage takes a step with the paper's profile: SAM 2.1 tiny at 1024 px, with random weights.

Sizes are cut (images, members, samples, epochs); layers, losses, schedules and switches are the profile's own.
"""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from staging import ROOT, draw, stage

from uncertsam.app._profiles import complete
from uncertsam.models.checkpoints import build_network

TINY, WEIGHTS = "sam2.1_tiny", "checkpoints/sam2.1_hiera_tiny.pt"
STAGES = [
    "acquire", "preprocess", "subset", "identify", "encode", "encode_subset", "fit_laplace", "train_variance",
    "fit_combination", "predict", "train_fusion", "refine", "measure", "tabulate", "ablate", "guarantee", "click",
    "extract_tokens", "extract_fit_tokens", "train_usam", "evaluate_usam", "compare", "time", "check_claims", "figures",
    "report",
]  # fmt: skip
ARMS = ["sam_ones", "la"]  # with and without a posterior, with and without a map
SMALL: dict[str, dict[str, Any]] = {
    "base": {"device": "cpu", "model": TINY},
    "encode": {"stream": False, "batch": 1},
    "fit": {"dataset": "few"},
    "fit_laplace": {"resolution": 128},
    "fit_combination": {"dataset": "cats", "views": 1, "prompts": 2},
    "train_variance": {"dataset": "few", "epochs": 1, "precision": "32-true", "held_out": 0.5},
    "train_fusion": {"dataset": "few", "epochs": 1, "held_out": 0.5, "samples": 4, "arms": ARMS},
    "refine": {"steps": 1},
    "tabulate": {"resamples": 20},
    "ablate": {"images": 1, "masks": 1, "calibrate": "cats", "calibrate_images": 1, "samples": [5],
                "factorial_samples": 4, "prior_precisions": [1.0], "temperatures": [1.0]},
    "guarantees": {"splits": 3},
    "clicking": {"images": 1, "methods": ["sam", "laplace_closed"], "clicks": 1},
    "extract_tokens": {"images": 1, "fit_images": 2, "masks": 1, "clicks": 1, "views": ["noise"]},
    "train_usam": {"datasets": ["cats"], "protocols": ["deployable"], "epochs": 1, "held_out": 0.5},
    "compare": {"resamples": 20},
    "time": {"masks": 1, "repeats": 1},
}  # fmt: skip
FEW: dict[str, dict[str, Any]] = {
    "laplace": {"samples": 4}, "tta_train": {"members": 2}, "tta_hue": {"members": 2},
    "tta_geometric": {"symmetries": ["identity", "horizontal"]}, "prompt": {"members": 3},
    "combined_total": {"views": 1, "prompts": 2, "samples": 2}, "combined_sum": {"views": 1, "prompts": 2},
}  # fmt: skip


def settings() -> dict[str, Any]:
    values = complete("paper", ROOT / "profiles")
    cats = {"acquire": "local", "source": "photos", "options": {}, "adapter": "folder", "adapter_options": {}}
    values["data"] = {"cats": cats | {"split": {"fit": 0.2, "calibrate": 0.6, "test": 0.2}}}
    values["datasets"], values["tracking"] = ["cats"], {"enabled": False}
    values["subset"] = {"few": {"dataset": "cats", "images": {"fit": 2}, "masks": None, "seed": 0}}
    for section, changes in SMALL.items():
        values[section] = values[section] | changes
    for method, changes in FEW.items():
        values["methods"][method] |= changes
    values["models"] = {TINY: WEIGHTS}
    return values


@pytest.mark.timeout(900)
def test_every_stage_takes_a_step_with_the_papers_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "photos", [f"cat {i}" for i in range(10)])
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(ROOT / "checkpoints" / "pretrain_images.json", tmp_path / "checkpoints")
    torch.manual_seed(0)
    torch.save({"model": build_network(TINY).state_dict()}, WEIGHTS)
    with open("params.yaml", "w") as file:
        YAML().dump(settings(), file)
    meant = {"fit.dataset": "few", "train_variance.dataset": "few", "item.model": TINY, "base.model": TINY}
    for name in STAGES:
        for arm in ARMS if name == "train_fusion" else ("",):
            stage(name, meant | ({"item.arm": arm} if arm else {"key": TINY} if name == "identify" else {}))
    refined = {"truth_prompt", *(f"fusion_{arm}" for arm in ARMS)}
    assert set(pd.read_parquet("reports/results.parquet")["method"]) == {*settings()["methods"], *refined}
    assert Path("reports/index.html").is_file() and Path("reports/reproduction.html").is_file()
