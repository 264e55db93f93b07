"""Spoiling the files of an experiment, and what a stage has to say then."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from staging import ROOT, draw, stage

RAW, BENCHMARK, PHOTO = "data/raw/cats", "data/benchmark/cats", "photos/images/cat 1x.png"
STAGES = [
    "acquire", "preprocess", "subset", "identify", "encode", "fit_laplace", "train_variance", "fit_combination",
    "predict", "train_fusion", "refine", "measure", "tabulate", "ablate", "compare", "guarantee", "click", "time",
    "check_claims", "figures", "report",
]  # fmt: skip


def settings() -> dict[str, Any]:
    values = yaml.safe_load((ROOT / "profiles" / "demo.yaml").read_text())
    cats = {"acquire": "local", "source": "photos", "options": {}, "adapter": "folder", "adapter_options": {}}
    values |= {
        "datasets": ["cats"],
        "methods": {"sam": values["methods"]["sam"]},
        "data": {"cats": cats | {"split": {"fit": 0.25, "calibrate": 0.35, "test": 0.4}}},
    }
    values["subset"] = {"few": {"dataset": "cats", "images": {"fit": 3}, "masks": None, "seed": 0}}
    values["fit"]["dataset"], values["tabulate"]["resamples"] = "cats", 50
    values["compare"]["resamples"], values["time"] = 50, {"masks": 2, "repeats": 1}
    values["guarantees"] |= {"splits": 20}
    values["clicking"] |= {"images": 2, "clicks": 1}
    values["fit_laplace"]["prior_precision"], values["ablate"]["factorial_samples"] = 1.0, 20
    for part in ("train_variance", "train_fusion", "fit_combination"):
        values[part]["dataset"] = "cats"
    values["train_variance"] |= {"epochs": 1, "steps": 2, "most_images": 2, "held_out": 0.5}
    values["train_fusion"] |= {
        "epochs": 1,
        "steps": 2,
        "most_images": 2,
        "held_out": 0.5,
        "arms": ["la"],
        "domains": None,
    }
    values["fit_combination"] |= {"views": 1, "prompts": 2}
    values["refine"]["steps"] = 1
    values["ablate"] |= {"datasets": None, "calibrate": "cats", "samples": [5], "temperatures": [1.0]}
    return values


def begin(root: Path, photos: int) -> None:
    """What a run begins with: photos, weights, the files by which a checkout is known, and params.yaml."""
    draw(root / "photos", [f"cat {i}x" for i in range(photos)])
    shutil.copytree(ROOT / "checkpoints", root / "checkpoints")
    for name in ("pyproject.toml", "dvc.yaml"):
        shutil.copy(ROOT / name, root)
    (root / "params.yaml").write_text(yaml.safe_dump(settings(), sort_keys=False))


def contents(root: Path) -> dict[str, bytes | None]:
    """Everything but what predict keeps for the next attempt, which is to survive errors."""
    paths = {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*"))}
    return {n: p.read_bytes() if p.is_file() else None for n, p in paths.items() if not n.startswith(".resume/predict")}


def refused(name: str, *says: str, **changes: str) -> None:
    """The stage says all this in one line, exits with 1, and leaves every file as it is."""
    before = contents(Path.cwd())
    with pytest.raises(SystemExit) as stop:
        stage(name, **changes)
    message = str(stop.value.code)
    assert message.startswith("error: ") and "\n" not in message and "Traceback" not in message
    for text in says:
        assert text in message
    assert contents(Path.cwd()) == before


Spoil = Callable[[], object]
Case = tuple[str, Spoil, tuple[str, ...]]  # the stage, what is done to its input, what it has to say


def flipped(path: str) -> Spoil:
    """One bit is another."""

    def spoil() -> None:
        content = bytearray(Path(path).read_bytes())
        content[-3] ^= 1
        Path(path).write_bytes(content)

    return spoil


def halved(path: str) -> Spoil:
    return lambda: Path(path).write_bytes(Path(path).read_bytes()[: Path(path).stat().st_size // 2])


def lost(path: str) -> Spoil:
    return lambda: Path(path).unlink()


def holds(path: str, content: str | bytes) -> Spoil:
    return lambda: Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())


def edited(path: str, change: Callable[[Any], object]) -> Spoil:
    """A JSON or YAML file has another content."""

    def spoil() -> None:
        value = yaml.safe_load(Path(path).read_text())
        change(value)
        Path(path).write_text(json.dumps(value))

    return spoil


def param(section: str, key: str, value: Any) -> Spoil:
    def change(values: Any) -> None:
        for part in filter(None, section.split(".")):
            values = values[part]
        values[key] = value

    return edited("params.yaml", change)


def both(*spoils: Spoil) -> Spoil:
    return lambda: [spoil() for spoil in spoils]
