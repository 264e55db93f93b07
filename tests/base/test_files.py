"""Nothing is half-written, and random numbers belong to places."""

import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import save_file

from uncertsam.base.files import sha256, write_json, written_aside
from uncertsam.base.rng import derive_seed, numpy_generator, torch_generator


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), written_aside(target) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "out"
    for name in ("first", "second"):
        with written_aside(target) as aside:
            aside.mkdir()
            (aside / name).touch()
    assert [p.name for p in target.iterdir()] == ["second"]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").touch()
    with pytest.raises(IsADirectoryError), written_aside(tmp_path / "out") as aside:
        aside.write_text("a file")
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "kept"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_full_disk_names_the_target_and_not_the_file_beside_it(tmp_path, error):
    target = tmp_path / "table.csv"
    with pytest.raises(OSError, match="No space left") as caught, written_aside(target):
        raise error
    assert caught.value.filename == str(target)
    with pytest.raises(FileNotFoundError) as caught, written_aside(target) as aside:
        (aside / "part").read_bytes()
    assert caught.value.filename == str(target / "part")


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
NATIVE = {  # every way in which the package fills a file
    "a.txt": lambda path: path.write_text("word " * 99),
    "a.csv": lambda path: pd.DataFrame(NOISE).to_csv(path),
    "a.parquet": lambda path: pd.DataFrame(NOISE).rename(columns=str).to_parquet(path),
    "a.safetensors": lambda path: save_file({"a": torch.from_numpy(NOISE)}, path),
    "a.npz": lambda path: np.savez_compressed(path, a=NOISE),
    "a.png": lambda path: Image.fromarray(NOISE).save(path),
    "b.png": lambda path: path.write_bytes(cv2.imencode(".png", NOISE)[1]),
    "a.svg": lambda path: Figure().savefig(path),
}


@pytest.mark.parametrize("name", NATIVE)
def test_whoever_writes_a_full_disk_or_ctrl_c_leaves_the_old_file_and_a_file_below_a_file_is_refused(tmp_path, name):
    target, write = tmp_path / name, NATIVE[name]
    target.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OSError) as full, written_aside(target) as aside:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
            write(aside)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert full.value.filename == str(target)
    with pytest.raises(KeyboardInterrupt), written_aside(target) as aside:
        write(aside)
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(OSError), written_aside(target / "below" / name) as aside:
        write(aside)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "old")]


def test_ctrl_c_waits_until_the_result_is_in_place(tmp_path, monkeypatch):
    """Between taking the old folder away and putting the new one there, and while debris is cleared."""
    target, replace = tmp_path / "out", os.replace

    def interrupted(*paths):
        signal.raise_signal(signal.SIGINT)
        replace(*paths)

    monkeypatch.setattr(os, "replace", interrupted)
    for name in ("first", "second"):
        with pytest.raises(KeyboardInterrupt), written_aside(target) as aside:
            aside.mkdir()
            (aside / name).touch()
        assert [p.name for p in tmp_path.rglob("*")] == ["out", name]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_files_are_written_from_other_threads_too(tmp_path):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(write_json, tmp_path / "a.json", {"x": 1}).result()
    assert (tmp_path / "a.json").is_file()


def test_nan_is_refused_in_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_the_hash_is_the_files(tmp_path):
    (tmp_path / "empty").touch()
    assert sha256(tmp_path / "empty").startswith("e3b0c44298fc1c14")


def test_generators_depend_on_the_names_and_on_nothing_else():
    assert derive_seed(0, "a", 1) == derive_seed(0, "a", 1) != derive_seed(0, "a", 2)
    assert derive_seed(0, "a", "b") != derive_seed(0, "ab")
    assert numpy_generator(1, "x").random() == numpy_generator(1, "x").random()
    assert torch_generator(1, "x").initial_seed() == derive_seed(1, "x")
