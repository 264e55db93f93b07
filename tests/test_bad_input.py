"""Input that fights back: one sentence that names the file or key and the mend, exit code 1, and nothing written.

A tiny experiment is run once by the real stages; every test spoils a copy of it and runs one stage of that.
"""

import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image
from staging import ROOT, WEIGHTS, arguments, draw, stage

from uncertsam.base.files import remove
from uncertsam.cli import main as cli
from uncertsam.data.format import encode_rle, read_split
from uncertsam.inference.maps import MapWriter

RAW, BENCHMARK, EMBEDDINGS = "data/raw/cats", "data/benchmark/cats", "data/embeddings/cats"
SAM, CELL = "data/predictions/cats/sam", "data/measures/cats/sam.parquet"
ANSWERS, COST, VERDICTS = "reports/answers.csv", "reports/cost.csv", "reports/reproduction.json"
CONTROLS, REFINED, FUSION = "reports/controls.csv", "reports/refinement.csv", "data/fitted/fusion/la"
PROMISES, CLICKS = "reports/guarantees.csv", "reports/clicking.csv"
FITTED, RESULTS, BOUNDS = "data/fitted/laplace", "reports/results.parquet", "reports/intervals.csv"
ALL = [
    "acquire", "preprocess", "subset", "encode", "fit_laplace", "train_variance", "fit_combination", "predict",
    "measure", "tabulate", "train_fusion", "refine", "measure_refined", "tabulate_refined", "control", "answer",
    "guarantee", "click", "clock", "judge", "figures", "report",
]  # fmt: skip
ARGUMENTS = {name: arguments(name) for name in ALL}


def settings() -> dict[str, Any]:
    values = yaml.safe_load((ROOT / "profiles" / "demo.yaml").read_text())
    cats = {"acquire": "local", "source": "photos", "options": {}, "adapter": "folder", "adapter_options": {}}
    values |= {
        "datasets": ["cats"],
        "methods": ["sam"],
        "data": {"cats": cats | {"split": {"fit": 0.25, "calibrate": 0.35, "test": 0.4}}},
    }
    values["subset"] = {"few": {"dataset": "cats", "images": {"fit": 3}, "masks": None, "seed": 0}}
    values["fit"]["dataset"], values["tabulate"]["resamples"] = "cats", 50
    values["answers"]["resamples"], values["clock"] = 50, {"masks": 2, "repeats": 1}
    values["guarantees"] |= {"splits": 20}
    values["clicking"] |= {"images": 2, "clicks": 1}
    values["laplace"] |= {"prior_precision": 1.0, "samples": 20}
    for part in ("train_variance", "train_fusion", "combined_fitted"):
        values[part]["dataset"] = "cats"
    values["train_variance"] |= {"epochs": 1, "steps": 2, "most_images": 2, "held_out": 0.5}
    values["train_fusion"] |= {
        "epochs": 1,
        "steps": 2,
        "most_images": 2,
        "held_out": 0.5,
        "arms": ["la"],
        "left_out": [],
        "domains": None,
    }
    values["combined_fitted"] |= {"views": 1, "prompts": 2}
    values["refine"]["steps"] = 1
    values["control"] |= {"datasets": None, "calibrate": "cats", "samples": [5], "temperatures": [1.0]}
    return values


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole experiment, run once, in a folder with a blank and letters beyond ASCII in its name."""
    root = tmp_path_factory.mktemp("a run ünder 猫")
    draw(root / "photos", [f"cat {i}x" for i in range(18)])
    shutil.copytree(ROOT / "checkpoints", root / "checkpoints")
    for name in ("pyproject.toml", "dvc.yaml"):  # by which a checkout is known
        shutil.copy(ROOT / name, root)
    (root / "params.yaml").write_text(yaml.safe_dump(settings()))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name in ALL:
            stage(name)
    return root


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be spoiled; the current folder."""
    root = Path(shutil.copytree(finished, tmp_path / "ein Lauf"))
    monkeypatch.chdir(root)
    return root


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


def annotated(**changes: Any) -> Spoil:
    return edited(ANNOTATIONS, lambda value: value["annotations"][0].update(changes))


def both(*spoils: Spoil) -> Spoil:
    return lambda: [spoil() for spoil in spoils]


def photos_cut_off() -> None:
    for path in Path(BENCHMARK).rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:400])


def named_oddly() -> None:
    Path("photos/images/cat 1x.png").rename(os.fsdecode(b"photos/images/cat \xe4.png"))


def other_table() -> None:
    pd.DataFrame({"value": [1.0]}).to_parquet(RESULTS)


def words_for_numbers() -> None:
    Path(BOUNDS).write_text(Path(BOUNDS).read_text().replace(",0.", ",zero"))


ANNOTATIONS = f"{BENCHMARK}/test/annotations/dataset.json"
ORIGIN, META = "data/measures/cats/sam.json", f"{SAM}/meta.json"
ORIGIN_REFINED = "data/measures_refined/cats/sam.json"


def forget() -> None:
    """What is answered and measured is kept where it would come out the same; now it is made again."""
    Path(ORIGIN).unlink()
    Path(ORIGIN_REFINED).unlink()
    edited(META, lambda v: v.update(made_from="other code"))()


INDEX, SHARD = f"{EMBEDDINGS}/index.json", f"{EMBEDDINGS}/00002.safetensors"
MANIFEST, PHOTO, RESERVED = f"{FITTED}/manifest.json", "photos/images/cat 1x.png", "checkpoints/pretrain_images.json"
PANEL, DRAWING = "reports/figures/qualitative_cats.png", "reports/figures/pearson_bars.svg"
SMALL = encode_rle(np.eye(4, dtype=bool))

FILES: dict[str, Case] = {
    "raw file changed": ("preprocess", flipped(PHOTO), (PHOTO, "acquire stage")),
    "inventory cut off": ("preprocess", halved(f"{RAW}/inventory.json"), ("inventory.json", "acquire stage again")),
    "reserved list broken": ("preprocess", holds(RESERVED, "{"), (RESERVED, "Restore")),
    "no photos": ("acquire", lambda: shutil.rmtree("photos"), ("data.cats.source", "photos", "Name the folder")),
    "a name that is no UTF-8": ("acquire", named_oddly, ("images/cat \\xe4.png is not in UTF-8", "Rename it")),
    "annotations cut off": ("encode", halved(ANNOTATIONS), (ANNOTATIONS, "preprocess")),
    "no image": ("predict", annotated(image_id=99), ("00000099.jpg", "Restore the image")),
    "broken RLE": ("predict", annotated(segmentation={"size": [48, 64], "counts": "AAAA"}), (ANNOTATIONS, "mask")),
    "RLE of another size": ("predict", annotated(segmentation=SMALL), (ANNOTATIONS, "mask", "4x4")),
    "a huge RLE": ("predict", annotated(segmentation={"size": [9**9, 9**9], "counts": "MA=="}), (ANNOTATIONS, "mask")),
    "info is a text": ("predict", edited(ANNOTATIONS, lambda v: v.update(info="x")), (ANNOTATIONS, "preprocess")),
    "photos cut off": ("encode", photos_cut_off, (".jpg", "preprocess")),
    "weights missing": ("encode", lost(WEIGHTS), (WEIGHTS, "model.weights")),
    "weights with a flipped bit": ("encode", flipped(WEIGHTS), (WEIGHTS, "SHA-256", "Restore")),
    "new weights cut off": ("encode", both(halved(WEIGHTS), lost(WEIGHTS + ".json")), (WEIGHTS, "Fetch or restore")),
    "manifest of weights": ("encode", holds(WEIGHTS + ".json", "[1]"), (WEIGHTS + ".json", "Restore")),
    "weights of another model": ("encode", param("model", "name", "sam2_tiny"), (WEIGHTS, "sam2_tiny", "model.name")),
    "no such model": ("encode", param("model", "name", "sam3"), ("'sam3'", "model.name is one of")),
    "no such device": ("encode", param("base", "device", "tpu9"), ("base.device", "Set it to cpu")),
    "nothing to calibrate on": ("control", lambda: shutil.rmtree(f"{BENCHMARK}/calibrate"), ("cats", "`calibrate`")),
    "other masks than registered": ("control", param("control", "subset", "ab12"), ("ab12", "control.subset")),
    "no set to control": ("control", param("control", "datasets", ["dogs"]), ("control.datasets", "'dogs'")),
    "no set to calibrate on": ("control", param("control", "calibrate", "dogs"), ("control.calibrate", "'dogs'")),
    "a control without posterior": ("control", lost(MANIFEST), (MANIFEST, "fit_laplace stage")),
    "controls missing": ("figures", lost(CONTROLS), (CONTROLS, "control stage")),
    "controls of other columns": ("report", holds(CONTROLS, "a\n1\n"), (CONTROLS, "control stage")),
    "no results to compare": ("answer", lost(RESULTS), (RESULTS, "tabulate stage")),
    "no results to judge": ("judge", other_table, (RESULTS, "tabulate stage")),
    "nothing to time on": ("clock", lost(INDEX), (INDEX, "encode")),
    "a metric that is none": ("answer", param("answers", "metrics", ["pearsn"]), ("'pearsn'", "Known are")),
    "a reference that is none": ("answer", param("answers", "references", ["sm"]), ("'sm'", "Did you mean 'sam'")),
    "answers missing": ("figures", lost(ANSWERS), (ANSWERS, "answer stage")),
    "answers of other columns": ("report", holds(ANSWERS, "a\n1\n"), (ANSWERS, "answer stage")),
    "cost missing": ("report", lost(COST), (COST, "clock stage")),
    "cost of other columns": ("report", holds(COST, "a\n1\n"), (COST, "clock stage")),
    "verdicts broken": ("report", holds(VERDICTS, "{"), (VERDICTS, "judge stage")),
    "verdicts of another kind": ("report", holds(VERDICTS, "[]"), (VERDICTS, "judge stage")),
    "no fit split for variance": ("train_variance", lambda: shutil.rmtree(f"{BENCHMARK}/fit"), ("cats", "`fit`")),
    "no fit split for fusion": ("train_fusion", lambda: shutil.rmtree(f"{BENCHMARK}/fit"), ("cats", "`fit`")),
    "an arm that is none": ("refine", param("train_fusion", "arms", ["lala"]), ("'lala'", "'la'")),
    "a module cut off": ("refine", halved(f"{FUSION}/fusion.safetensors"), (FUSION, "train_fusion stage")),
    "a module missing": ("refine", lost(f"{FUSION}/manifest.json"), (FUSION, "train_fusion stage")),
    "too many refinements": ("refine", param("refine", "steps", 4), ("refine.steps", "3")),
    "refined measures missing": ("tabulate_refined", lost("data/measures_refined/cats/sam.parquet"), ("sam.parquet",)),
    "refinement missing": ("figures", lost(REFINED), (REFINED, "tabulate")),
    "guarantees missing": ("figures", lost(PROMISES), (PROMISES, "guarantee stage")),
    "guarantees of other columns": ("figures", holds(PROMISES, "a\n1\n"), (PROMISES, "guarantee stage")),
    "no predictions to promise of": ("guarantee", lost(f"{SAM}/index.parquet"), (SAM, "predict stage")),
    "maps to promise of": ("guarantee", halved(f"{SAM}/maps.safetensors"), ("maps.safetensors", "predict")),
    "clicks missing": ("figures", lost(CLICKS), (CLICKS, "click stage")),
    "clicks of other columns": ("figures", holds(CLICKS, "a\n1\n"), (CLICKS, "click stage")),
    "nothing to click on": ("click", lost(INDEX), (INDEX, "encode")),
    "no set to click at": ("click", param("clicking", "datasets", ["dogs"]), ("clicking.datasets", "'dogs'")),
    "no set to train on": ("train_variance", param("train_variance", "dataset", "dogs"), ("train_variance.dataset",)),
    "nothing to calibrate": ("fit_combination", lambda: shutil.rmtree(f"{BENCHMARK}/calibrate"), ("`calibrate`",)),
    "index missing": ("predict", lost(INDEX), (INDEX, "encode")),
    "index broken": ("predict", holds(INDEX, "{"), (INDEX, "encode")),
    "index of another kind": ("predict", holds(INDEX, "[]"), (INDEX, "encode")),
    "index without images": ("predict", edited(INDEX, lambda v: v["images"].clear()), (INDEX, "encode")),
    "index of another model": ("predict", edited(INDEX, lambda v: v.update(model_sha256="0")), (EMBEDDINGS, "encode")),
    "shard cut off": ("predict", both(forget, halved(SHARD)), (SHARD, "encode")),
    "shard lost": ("predict", both(forget, lost(SHARD)), (SHARD, "encode")),
    "no fit split": ("fit_laplace", lambda: shutil.rmtree(f"{BENCHMARK}/fit"), ("fit split", "data.cats.split")),
    "index of predictions": ("measure", halved(f"{SAM}/index.parquet"), ("index.parquet", "predict")),
    "maps cut off": ("measure", halved(f"{SAM}/maps.safetensors"), ("maps.safetensors", "predict")),
    "origin of measures": (
        "measure",
        both(holds(ORIGIN, "[]"), halved(f"{SAM}/maps.safetensors")),
        ("maps", "predict"),
    ),
    "curves cut off": ("tabulate", halved("data/measures/cats/sam.curves.parquet"), ("sam.curves.parquet", "measure")),
    "measures cut off": ("tabulate", halved(CELL), (CELL, "measure")),
    "measures missing": ("tabulate", lost(CELL), (CELL, "measure")),
    "curves to draw cut off": ("figures", halved("reports/curves.parquet"), ("curves.parquet", "tabulate")),
    "results cut off": ("figures", halved(RESULTS), (RESULTS, "tabulate")),
    "results of another kind": ("figures", other_table, (RESULTS, "tabulate")),
    "results missing": ("figures", lost(RESULTS), (RESULTS, "tabulate")),
    "intervals are no text": ("figures", holds(BOUNDS, b"\xff\x00"), (BOUNDS, "tabulate")),
    "meta of predictions": ("figures", holds(f"{SAM}/meta.json", "{"), (SAM, "predict")),
    "maps to draw": ("figures", holds(f"{SAM}/maps.safetensors", "{"), (SAM, "predict")),
    "index of what to draw": ("figures", holds(f"{SAM}/index.parquet", "{"), (SAM, "predict")),
    "intervals with words": ("report", words_for_numbers, (BOUNDS, "tabulate")),
    "results to show cut off": ("report", halved(RESULTS), (RESULTS, "tabulate")),
    "results to show of another kind": ("report", other_table, (RESULTS, "tabulate")),
    "posterior broken": ("report", holds(MANIFEST, "{"), (MANIFEST, "fit_laplace")),
    "posterior missing": ("report", lost(MANIFEST), (MANIFEST, "fit_laplace")),
    "posterior of another kind": ("report", holds(MANIFEST, "[]"), (MANIFEST, "fit_laplace")),
    "panel broken": ("report", halved(PANEL), (PANEL, "figures")),
    "drawing broken": ("report", holds(DRAWING, "{"), (DRAWING, "figures")),
}


@pytest.mark.parametrize("case", FILES)
def test_a_broken_file_is_named_with_its_mend_and_nothing_is_written(here: Path, case: str) -> None:
    name, spoil, says = FILES[case]
    spoil()
    refused(name, *says)


ADVICE = [  # one of each kind
    "raw file changed", "annotations cut off", "no image", "shard lost", "posterior broken", "maps cut off",
    "maps to draw", "measures cut off", "curves cut off", "refined measures missing", "refinement missing",
    "panel broken",
]  # fmt: skip


@pytest.mark.parametrize("case", ADVICE)
def test_what_an_error_advises_helps(here: Path, case: str) -> None:
    """What it says to delete is deleted, the stages that it names are run again; then what failed succeeds."""
    name, spoil, _ = FILES[case]
    spoil()
    with pytest.raises(SystemExit) as stop:
        stage(name)
    said = str(stop.value.code).removeprefix("error: ")
    path = Path(said.split(" ")[0])
    for word, spoilt in {"it": path, "its folder": path.parent, "the method's folder": Path(SAM)}.items():
        if f"Delete {word}," in said:
            remove(spoilt)
    advised = re.findall(r"the (\w+)(?: and (\w+))? stages?(?: \(or (\w+)\))?", said)
    for again in filter(lambda word: word in ALL, advised[-1]):
        stage(again)
    stage(name)


@pytest.mark.parametrize("spoil", [flipped, halved, lost])
@pytest.mark.parametrize("name", ["posterior.safetensors", "manifest.json"])
def test_a_broken_posterior_is_named_with_its_mend(here: Path, name: str, spoil: Callable[[str], Spoil]) -> None:
    spoil(f"{FITTED}/{name}")()
    param("", "methods", ["laplace"])()
    refused("predict", FITTED, "fit_laplace", out="data/predictions/new")


PARAMS: dict[str, Case] = {
    "base": ("encode", param("base", "sed", 1), ("base.sed", "'seed'")),
    "no threads": ("encode", param("base", "threads", 0), ("base.threads", "greater than 0")),
    "model": ("encode", param("model", "weight", 1), ("model.weight", "'weights'")),
    "data": ("acquire", param("data.cats", "sauce", 1), ("data.cats.sauce", "'source'")),
    "options": ("acquire", param("data.cats", "options", 3), ("data.cats.options", "dictionary")),
    "adapter": ("preprocess", param("data.cats", "adapter", "folders"), ("'folders'", "Those that exist")),
    "adapter_options": ("preprocess", param("data.cats.adapter_options", "kid", 1), ("'kid'", "kind")),
    "split": ("preprocess", param("split", "nearby", 1), ("split.nearby", "'near'")),
    "fractions": ("preprocess", param("data.cats.split", "tests", 1), ("'tests'", "pretrain, fit")),
    "subset": ("subset", param("subset.few", "image", {}), ("subset.few.image", "'images'")),
    "split of a subset": ("subset", param("subset.few", "images", {"fits": 1}), ("'fits'", "fit, test")),
    "encode": ("encode", param("encode", "batches", 1), ("encode.batches", "'batch'")),
    "no batch": ("encode", param("encode", "batch", 0), ("encode.batch", "greater than 0")),
    "fit": ("fit_laplace", param("fit", "datasets", "cats"), ("fit.datasets", "'dataset'")),
    "no such set to fit on": ("fit_laplace", param("fit", "dataset", "dogs"), ("fit.dataset", "'dogs'")),
    "predict": ("predict", param("predict", "split", "fit"), ("predict.split", "'calibrate' or 'test'")),
    "a method": ("predict", param("sam", "tokens", 1), ("sam.tokens", "'token'")),
    "laplace": ("fit_laplace", param("laplace", "samples", "many"), ("laplace.samples", "integer")),
    "datasets": ("tabulate", param("", "datasets", "cats"), ("datasets", "[NAME, ...]")),
    "no such dataset": ("tabulate", param("", "datasets", ["dogs"]), ("datasets", "'dogs'", "cats")),
    "no such method": ("tabulate", param("", "methods", ["sma"]), ("methods", "'sma'", "'sam'")),
    "tabulate": ("tabulate", param("tabulate", "resamples", -1), ("tabulate.resamples", "greater than 0")),
    "pretrain": ("measure", param("pretrain", "text", 1), ("pretrain.text", "'textures'")),
    "a source of pretrain": ("measure", param("pretrain.sources.panda", "shar", 1), ("pretrain.sources", "shar")),
    "no clicks": ("click", param("clicking", "clicks", 0), ("clicking.clicks", "greater than 0")),
    "no promise": ("guarantee", param("guarantees", "alphas", []), ("guarantees.alphas", "at least 1")),
    "a promise": ("guarantee", param("guarantees", "alpha", 0.1), ("guarantees.alpha", "'alphas'")),
    "tracking": ("measure", param("tracking", "enable", True), ("tracking.enable", "'enabled'")),
    "a section": ("measure", param("", "trakcing", {}), ("'trakcing'", "'tracking'")),
    "a number as a section": ("measure", param("", "tracking", 3), ("tracking", "dictionary")),
    "no YAML": ("measure", holds("params.yaml", "a: [1,\nb: }"), ("params.yaml is not YAML", "line 2", "Correct")),
    "no text": ("measure", holds("params.yaml", b"a: \xff\xfe"), ("params.yaml is not YAML", "Correct")),
    "no sections": ("measure", holds("params.yaml", "- 1"), ("params.yaml", "uncertsam use demo")),
    "no file": ("measure", lost("params.yaml"), ("params.yaml", "checkout's root")),
}


@pytest.mark.parametrize("case", PARAMS)
def test_a_wrong_parameter_is_named_with_its_mend(here: Path, case: str) -> None:
    name, spoil, says = PARAMS[case]
    spoil()
    refused(name, *says)


OUT = {name: next(key for key in ("out", "reports") if key in given) for name, given in ARGUMENTS.items()}
WRITERS = {  # what writes most of a stage's output
    "acquire": (Path, "write_text"),
    "preprocess": (Image.Image, "save"),
    "subset": (Path, "write_text"),
    "measure": (pd.DataFrame, "to_parquet"),
    "measure_refined": (pd.DataFrame, "to_parquet"),
    "tabulate_refined": (pd.DataFrame, "to_parquet"),
    "fit_combination": (Path, "write_text"),
    "predict": (MapWriter, "add"),
    "refine": (MapWriter, "add"),
    "tabulate": (pd.DataFrame, "to_parquet"),
    "control": (pd.DataFrame, "to_parquet"),
    "answer": (pd.DataFrame, "to_csv"),
    "guarantee": (pd.DataFrame, "to_csv"),
    "click": (pd.DataFrame, "to_parquet"),
    "clock": (pd.DataFrame, "to_csv"),
    "judge": (Path, "write_text"),
    "figures": (Figure, "savefig"),
    "report": (Path, "write_text"),
}  # the others write tensors


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond 100 bytes: every writer, native ones too, gets an error from the system."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ALL)
def test_a_full_disk_is_one_line_and_leaves_the_last_result(here: Path, name: str) -> None:
    forget()
    with full_disk():
        refused(name, ARGUMENTS[name][OUT[name]], "Free space")


@pytest.mark.parametrize("name", ALL)
def test_a_place_that_cannot_be_written_is_named(here: Path, name: str) -> None:
    """Below a file there is no place for another one, not even for root."""
    file = "params.yaml"
    refused(name, file, "fix the path or its permissions", **{OUT[name]: f"{file}/below/out"})


@pytest.mark.parametrize("name", ALL)
def test_ctrl_c_while_a_stage_writes_leaves_the_last_result(
    here: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import safetensors.torch

    owner, attribute = WRITERS.get(name, (safetensors.torch, "serialize_file"))
    write = getattr(owner, attribute)

    def interrupted(*given: Any, **options: Any) -> Any:
        write(*given, **options)
        signal.raise_signal(signal.SIGINT)

    forget()
    monkeypatch.setattr(owner, attribute, interrupted)
    before = contents(here)
    with pytest.raises(SystemExit) as stop:
        stage(name)
    assert stop.value.code == 130 and capsys.readouterr().err.strip().endswith("run again to go on")
    assert contents(here) == before


def test_ctrl_c_stops_a_process_that_works(here: Path) -> None:
    edited("params.yaml", lambda v: v["data"]["cats"].update(acquire="generate", options={"count": 5000}))()
    before = contents(here)
    words = [w for key, value in ARGUMENTS["acquire"].items() for w in (f"--{key}", value)]
    words[words.index("photos")] = "camouflage.py"
    work = subprocess.Popen(
        [sys.executable, ROOT / "stages" / "acquire.py", *words], stderr=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        while not list(Path(RAW).parent.glob(".cats.*/*")):
            assert work.poll() is None
            time.sleep(0.02)
        work.send_signal(signal.SIGINT)
        _, said = work.communicate(timeout=30)
    finally:
        work.kill()
    assert work.returncode == 130 and said.strip().splitlines()[-1].startswith("interrupted") and "File" not in said
    assert contents(here) == before


REPORTS: dict[str, Spoil] = {
    "reports/results.parquet": halved("reports/results.parquet"),
    "reports/metrics.json": halved("reports/metrics.json"),
    "reports/intervals.csv": holds("reports/intervals.csv", b"\xff"),
    PANEL: halved(PANEL),
    "reports/figures/pearson_bars.png": holds("reports/figures/pearson_bars.png", "no picture"),
}


@pytest.mark.parametrize("path", REPORTS)
def test_comparing_a_broken_report_names_the_file(
    here: Path, finished: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    REPORTS[path]()
    for other in {*map(str, Path("reports/figures").glob("*.png"))} - {path}:
        Path(other).unlink()
    message = command(monkeypatch, "compare", str(finished / "reports"), "reports")
    assert message.startswith(f"error: {path} cannot be read") and "\n" not in message and "Restore it" in message


@pytest.mark.parametrize("path", [path for path in REPORTS if not path.endswith(".png")])
def test_checking_a_broken_report_names_the_file(here: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    REPORTS[path]()
    message = command(monkeypatch, "check-reports")
    assert message.startswith(f"error: {path} cannot be read") and "\n" not in message and "dvc repro" in message


@pytest.mark.parametrize(
    ("path", "content"),
    [("reports/metrics.json", b"{"), ("reports/metrics.json", b"[1]"), ("reports/metrics.json", b'{"cats": 1}'),
     ("reports/intervals.csv", b"\xff"), ("dvc.lock", b"stages: [")],
)  # fmt: skip
def test_rebuilding_from_broken_reports_names_the_file(
    here: Path, path: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds(path, content)()
    before = contents(here)
    message = command(monkeypatch, "track", "rebuild")
    assert message.startswith("error: ") and path in message and "estore it" in message and "\n" not in message
    assert contents(here) == before


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """What `uncertsam` says when it fails."""
    monkeypatch.setattr(sys, "argv", ["uncertsam", *words])
    with pytest.raises(SystemExit) as stop:
        cli()
    return str(stop.value.code)


def claim(path: str, side: int) -> None:
    """Write another size into the header of a PNG."""
    content = Path(path).read_bytes()
    header = b"IHDR" + struct.pack(">II", side, side) + content[24:29]
    Path(path).write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])


def listed() -> dict[str, str]:
    """What the last preprocess stage left out, and why."""
    return {s["file"]: s["reason"] for s in read_split(Path(BENCHMARK, "test")).info["skipped"]}


def test_images_that_are_too_large_are_listed_by_a_rule_that_a_parameter_sets(here: Path) -> None:
    """100 megapixels are more than the default, 400 more than PIL opens; neither is ever decoded."""
    draw(here / "photos", ["fine", "large", "trap"])
    for path, side in (("masks/fine", 10_000), ("images/large", 10_000), ("images/trap", 20_000)):
        claim(f"photos/{path}.png", side)
    stage("acquire")
    stage("preprocess")
    assert listed() == {
        "images/fine.png": "its mask: it has 100.0 megapixels, more than `max_megapixels` (64)",
        "images/large.png": "it has 100.0 megapixels, more than `max_megapixels` (64)",
        "images/trap.png": "it has more than 178 megapixels",
    }
    param("data.cats", "adapter_options", {"max_megapixels": 0.001})()
    refused("preprocess", "photos has no image", "max_megapixels")
    param("data.cats", "adapter_options", {"max_megapixels": 200})()
    refused("preprocess", "'max_megapixels'", "less than or equal to 178")


def test_names_with_blanks_and_any_letters_go_through(here: Path) -> None:
    draw(here / "photos", ["Käfer im Gras", "猫 (1)", "a'b\"c#%", "dot.in.name"])
    stage("acquire")
    stage("preprocess")
    sources = {image.source for name in ("fit", "test") for image in read_split(Path(BENCHMARK, name))}
    assert {"images/Käfer im Gras.png", "images/猫 (1).png", "images/a'b\"c#%.png"} <= sources
    assert "images/dot.in.name.png" in sources and not listed()


def test_two_photos_of_one_name_are_refused(here: Path) -> None:
    Image.open(PHOTO).convert("RGB").save(PHOTO.replace("png", "jpg"))
    stage("acquire")
    refused("preprocess", "cat 1x.jpg", "cat 1x.png", "rename one")
