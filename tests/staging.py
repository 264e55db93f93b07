"""The stages of dvc.yaml run in this process, in the current folder, as their command lines would."""

import importlib.util
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from uncertsam.base.stage import run_stage

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = "checkpoints/sam2_nano.safetensors"
MEANT = {
    "key": "cats", "item.source": "photos", "item.model": "sam2_nano", "item.dataset": "cats", "item.arm": "la",
    "base.model": "sam2_nano", "item.protocol": "deployable", "predict.split": "test",
    "fit.dataset": "cats", "train_variance.dataset": "cats", "fit_combination.dataset": "cats",
}  # fmt: skip


def command(name: str, **more: str) -> list[str]:
    """The words after `python` that dvc.yaml gives to a stage."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    named = {"subset": {"key": "few"}, "encode_subset": {"item.dataset": "few"}, "identify": {"key": "sam2_nano"}}
    meant = MEANT | named.get(name, {}) | more
    text = stages[name].get("do", stages[name])["cmd"]
    return shlex.split(re.sub(r"\$\{(.*?)\}", lambda found: meant[found[1]], text))[1:]


def arguments(name: str, **more: str) -> dict[str, str | None]:
    """The options of a stage and their values; None for a flag."""
    words, given = command(name, **more)[1:], {}
    for place, word in enumerate(words):
        if word.startswith("--"):
            alone = place + 1 == len(words) or words[place + 1].startswith("--")
            given[word.removeprefix("--")] = None if alone else words[place + 1]
    return given


def stage(name: str, meaning: Mapping[str, str] | None = None, **changes: str) -> None:
    """Run the script of a stage here, as its command line would."""
    script = ROOT / command(name, **(meaning or {}))[0]
    spec = importlib.util.spec_from_file_location(f"stage_{script.stem}", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    given = arguments(name, **(meaning or {})) | changes
    run_stage(module.main, [w for key, value in given.items() for w in (f"--{key}", value) if w is not None])


def draw(folder: Path, names: list[str]) -> None:
    """Photos of a bright disc with its mask."""
    rng = np.random.default_rng(len(names))
    y, x = np.mgrid[:48, :64]
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name in names:
        disc = (y - rng.integers(16, 32)) ** 2 + (x - rng.integers(16, 48)) ** 2 < rng.integers(40, 200)
        noise = np.asarray(Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((64, 48)))
        Image.fromarray(np.where(disc[..., None], 255 - noise // 4, noise // 2)).save(folder / "images" / f"{name}.png")
        Image.fromarray(disc.astype(np.uint8) * 255).save(folder / "masks" / f"{name}.png")
