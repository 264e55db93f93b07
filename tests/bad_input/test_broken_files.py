"""Input that fights back: one sentence that names the file or key and the mend, exit code 1, and nothing written.

A tiny experiment is run once by the real stages; every test spoils a copy of it and runs one stage of that.
"""

import os
import re
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from spoiling import (
    BENCHMARK,
    PHOTO,
    RAW,
    STAGES,
    Case,
    Spoil,
    both,
    contents,
    edited,
    flipped,
    halved,
    holds,
    lost,
    param,
    refused,
)  # fmt: skip
from staging import WEIGHTS, arguments, stage

from uncertsam.base.files import remove
from uncertsam.data.format import encode_rle
from uncertsam.inference._maps import MapWriter

MEASURES = "data/measures/sam2_nano/cats"
EMBEDDINGS, SAM = "data/embeddings/sam2_nano/cats", "data/predictions/sam2_nano/cats/sam"
CELL = f"{MEASURES}/sam.parquet"
ANSWERS, COST, VERDICTS = "reports/answers.csv", "reports/cost.csv", "reports/reproduction.json"
CONTROLS, FUSION = "reports/controls.csv", "data/fitted/sam2_nano/fusion/la"
PROMISES, CLICKS = "reports/guarantees.csv", "reports/clicking.csv"
FITTED, RESULTS, BOUNDS = "data/fitted/sam2_nano/laplace", "reports/results.parquet", "reports/intervals.csv"


def annotated(**changes: Any) -> Spoil:
    return edited(ANNOTATIONS, lambda value: value["annotations"][0].update(changes))


def renamed(name: str) -> Spoil:
    """The only model has another name."""
    return both(param("", "models", {name: WEIGHTS}), param("base", "model", name))


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
ORIGIN, META = f"{MEASURES}/sam.json", f"{SAM}/meta.json"


def forget() -> None:
    """What is answered and measured is kept where it would come out the same; now it is made again."""
    Path(ORIGIN).unlink()
    edited(META, lambda v: v.update(made_from="other code"))()


INDEX, SHARD = f"{EMBEDDINGS}/index.json", f"{EMBEDDINGS}/00002.safetensors"
MANIFEST, RESERVED = f"{FITTED}/manifest.json", "checkpoints/pretrain_images.json"
PANEL, DRAWING = "reports/figures/qualitative_cats.png", "reports/figures/pearson_bars.svg"
SMALL = encode_rle(np.eye(4, dtype=bool))

FILES: dict[str, Case] = {
    "raw file changed": ("preprocess", flipped(PHOTO), (PHOTO, "acquire stage")),
    "inventory cut off": ("preprocess", halved(f"{RAW}/inventory.json"), ("inventory.json", "Run the acquire stage")),
    "reserved list broken": ("preprocess", holds(RESERVED, "{"), (RESERVED, "Restore")),
    "no photos": ("acquire", lambda: shutil.rmtree("photos"), ("data.cats.source", "photos", "Name the folder")),
    "a name that is no UTF-8": ("acquire", named_oddly, ("images/cat \\xe4.png is not in UTF-8", "Rename it")),
    "annotations cut off": ("encode", halved(ANNOTATIONS), (ANNOTATIONS, "preprocess")),
    "no image": ("predict", annotated(image_id=99), ("00000099.jpg", "Restore the image")),
    "broken RLE": ("predict", annotated(segmentation={"size": [48, 64], "counts": "AAAA"}), (ANNOTATIONS, "mask")),
    "RLE of another size": ("predict", annotated(segmentation=SMALL), (ANNOTATIONS, "mask", "4x4")),
    "a huge RLE": ("predict", annotated(segmentation={"size": [9**9, 9**9], "counts": "MA=="}), (ANNOTATIONS, "mask")),
    "photos cut off": ("encode", photos_cut_off, (".jpg", "preprocess")),
    "weights missing": ("encode", lost(WEIGHTS), (WEIGHTS, "`models`")),
    "weights with a flipped bit": ("encode", flipped(WEIGHTS), (WEIGHTS, "SHA-256", "Restore")),
    "new weights cut off": ("encode", both(halved(WEIGHTS), lost(WEIGHTS + ".json")), (WEIGHTS, "Fetch or restore")),
    "manifest of weights": ("encode", holds(WEIGHTS + ".json", "[1]"), (WEIGHTS + ".json", "Restore")),
    "weights of another model": ("time", renamed("sam2_tiny"), (WEIGHTS, "sam2_tiny", "`models`")),
    "no such model": ("time", renamed("sam3"), ("'sam3'", "It is one of sam2_nano")),
    "no such device": ("encode", param("base", "device", "tpu9"), ("base.device", "Set it to cpu")),
    "other masks than registered": ("ablate", param("ablate", "subset", "ab12"), ("ab12", "ablate.subset")),
    "no set to calibrate on": ("ablate", param("ablate", "calibrate", "dogs"), ("ablate.calibrate", "'dogs'")),
    "controls missing": ("figures", lost(CONTROLS), (CONTROLS, "ablate stage")),
    "no results to compare": ("compare", lost(RESULTS), (RESULTS, "tabulate stage")),
    "no results to judge": ("check_claims", other_table, (RESULTS, "tabulate stage")),
    "nothing to time on": ("time", lost(INDEX), (INDEX, "encode")),
    "a metric that is none": ("compare", param("compare", "metrics", ["pearsn"]), ("'pearsn'", "Known are")),
    "a reference that is none": ("compare", param("compare", "references", ["sm"]), ("'sm'", "Did you mean 'sam'")),
    "answers missing": ("figures", lost(ANSWERS), (ANSWERS, "compare stage")),
    "answers of other columns": ("report", holds(ANSWERS, "a\n1\n"), (ANSWERS, "compare stage")),
    "cost missing": ("report", lost(COST), (COST, "time stage")),
    "verdicts broken": ("report", holds(VERDICTS, "{"), (VERDICTS, "check_claims stage")),
    "no fit split for variance": ("train_variance", lambda: shutil.rmtree(f"{BENCHMARK}/fit"), ("cats", "`fit`")),
    "an arm that is none": ("refine", param("train_fusion", "arms", ["lala"]), ("'lala'", "'la'")),
    "a module cut off": ("refine", halved(f"{FUSION}/fusion.safetensors"), (FUSION, "train_fusion stage")),
    "a module missing": ("refine", lost(f"{FUSION}/manifest.json"), (FUSION, "train_fusion stage")),
    "too many refinements": ("refine", param("refine", "steps", 4), ("refine.steps", "3")),
    "refined measures missing": (
        "tabulate",
        lost(f"{MEASURES}/truth_prompt.parquet"),
        ("truth_prompt.parquet", "measure"),
    ),
    "guarantees missing": ("figures", lost(PROMISES), (PROMISES, "guarantee stage")),
    "no predictions to promise of": ("guarantee", lost(f"{SAM}/index.parquet"), (SAM, "predict stage")),
    "no layout to promise by": ("guarantee", lost(META), (META, "predict stage")),
    "maps to promise of": ("guarantee", halved(f"{SAM}/maps.safetensors"), ("maps.safetensors", "predict")),
    "clicks missing": ("figures", lost(CLICKS), (CLICKS, "click stage")),
    "nothing to click on": ("click", lost(INDEX), (INDEX, "encode")),
    "no set to train on": ("train_variance", param("train_variance", "dataset", "dogs"), ("train_variance.dataset",)),
    "nothing to calibrate": ("fit_combination", lambda: shutil.rmtree(f"{BENCHMARK}/calibrate"), ("`calibrate`",)),
    "index missing": ("predict", lost(INDEX), (INDEX, "encode")),
    "index broken": ("predict", holds(INDEX, "{"), (INDEX, "encode")),
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
    "curves cut off": ("tabulate", halved(f"{MEASURES}/sam.curves.parquet"), ("sam.curves.parquet", "measure")),
    "measures cut off": ("tabulate", halved(CELL), (CELL, "measure")),
    "curves to draw cut off": ("figures", halved("reports/curves.parquet"), ("curves.parquet", "tabulate")),
    "results missing": ("figures", lost(RESULTS), (RESULTS, "tabulate")),
    "intervals are no text": ("figures", holds(BOUNDS, b"\xff\x00"), (BOUNDS, "tabulate")),
    "maps to draw": ("figures", holds(f"{SAM}/maps.safetensors", "{"), (SAM, "predict")),
    "intervals with words": ("report", words_for_numbers, (BOUNDS, "tabulate")),
    "posterior broken": ("report", holds(MANIFEST, "{"), (MANIFEST, "fit_laplace")),
    "posterior missing": ("report", lost(MANIFEST), (MANIFEST, "fit_laplace")),
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
    "maps to draw", "measures cut off", "curves cut off", "refined measures missing", "panel broken",
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
    for again in filter(lambda word: word in STAGES, advised[-1]):
        stage(again)
    stage(name)


@pytest.mark.parametrize("spoil", [flipped, halved, lost])
@pytest.mark.parametrize("name", ["posterior.safetensors", "manifest.json"])
def test_a_broken_posterior_is_named_with_its_mend(here: Path, name: str, spoil: Callable[[str], Spoil]) -> None:
    spoil(f"{FITTED}/{name}")()
    param("", "methods", {"laplace": {}})()
    refused("predict", FITTED, "fit_laplace", out="data/predictions/new")


WRITERS = {  # of four stages that write in different ways; that all write so: tests/base/test_one_writer.py
    "preprocess": (Image.Image, "save"),
    "predict": (MapWriter, "add"),
    "measure": (pd.DataFrame, "to_parquet"),
    "figures": (Figure, "savefig"),
}


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond 100 bytes: every writer, native ones too, gets an error from the system."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk_unwritable_place_and_ctrl_c_leave_the_last_result(
    here: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Below a file there is no place for another one, not even for root."""
    forget()
    with full_disk():
        refused(name, arguments(name)["out"], "Free space")
    refused(name, "params.yaml", "fix the path or its permissions", out="params.yaml/below/out")
    owner, attribute = WRITERS[name]
    write = getattr(owner, attribute)

    def interrupted(*given: Any, **options: Any) -> Any:
        write(*given, **options)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(owner, attribute, interrupted)
    before = contents(here)
    with pytest.raises(SystemExit) as stop:
        stage(name)
    assert stop.value.code == 130 and capsys.readouterr().err.strip().endswith("run again to go on")
    assert contents(here) == before


REPORTS: dict[str, Spoil] = {
    "reports/results.parquet": halved("reports/results.parquet"),
    "reports/metrics.json": halved("reports/metrics.json"),
    "reports/intervals.csv": holds("reports/intervals.csv", b"\xff"),
    PANEL: halved(PANEL),
    "reports/figures/pearson_bars.png": holds("reports/figures/pearson_bars.png", "no picture"),
}


@pytest.mark.parametrize("path", REPORTS)
def test_comparing_a_broken_report_names_the_file(here: Path, finished: Path, path: str, uncertsam: Any) -> None:
    REPORTS[path]()
    for other in {*map(str, Path("reports/figures").glob("*.png"))} - {path}:
        Path(other).unlink()
    message = uncertsam("compare", finished / "reports", "reports")[2]
    assert message.startswith(f"error: {path} cannot be read") and "\n" not in message and "Restore it" in message


@pytest.mark.parametrize("path", [path for path in REPORTS if not path.endswith(".png")])
def test_checking_a_broken_report_names_the_file(here: Path, path: str, uncertsam: Any) -> None:
    REPORTS[path]()
    message = uncertsam("check-reports")[2]
    assert message.startswith(f"error: {path} cannot be read") and "\n" not in message
    assert "tabulate stage" in message or "dvc repro" in message


@pytest.mark.parametrize(
    ("path", "content"),
    [("reports/metrics.json", b"{"), ("reports/metrics.json", b"[1]"), ("reports/metrics.json", b'{"cats": 1}'),
     ("reports/intervals.csv", b"\xff"), ("dvc.lock", b"stages: [")],
)  # fmt: skip
def test_rebuilding_from_broken_reports_names_the_file(here: Path, path: str, content: bytes, uncertsam: Any) -> None:
    holds(path, content)()
    before = contents(here)
    message = uncertsam("track", "rebuild")[2]
    assert message.startswith("error: ") and path in message and "estore it" in message and "\n" not in message
    assert contents(here) == before
