"""Tests never record runs in the repository, and find the real photos only where they lie beside it."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # how long a case takes says nothing about it on a busy machine
settings.load_profile("patient")
os.environ["MLFLOW_DISABLED"] = "1"  # the tests of tracking unset it
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small tensors: a second thread waits more than it helps

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell does this to what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("UNCERTSAM_REAL") or ROOT.parent / "shared" / "data" / "real")


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """A stage or a benchmark that a test runs sets the process's threads, on which the last digits of others depend."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    torch = sys.modules.get("torch")
    if torch:
        torch.set_num_threads(before or int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture
def real_data() -> Path:
    """The folder of real photos; the test is skipped, saying so, where it is absent."""
    if not REAL.is_dir():
        pytest.skip(f"there are no real photos in {REAL}: set UNCERTSAM_REAL to a folder of them")
    return REAL


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def uncertsam(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple]:
    """Run the command; gives exit code, stdout and the lines that begin with `error`, in one text."""

    def run(*words: object) -> tuple[int, str, str]:
        from uncertsam.cli import main

        monkeypatch.setattr(sys, "argv", ["uncertsam", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        said, told = capsys.readouterr(), stop.value.code or 0
        lines = [line for line in said.err.splitlines() if line.startswith("error")]
        lines += [] if isinstance(told, int) else [str(told)]
        return told if isinstance(told, int) else 1, said.out, "\n".join(lines)

    return run


@pytest.fixture(scope="session")
def controlled():
    """A made-up long table of all controls, whose truth is known.

    On each of two datasets of 6 images, 2 masks each: the token adds 0.2 to Pearson and takes 0.1 of IoU, Bayes adds
    0.01 to Pearson, precision adds noise around 0, the gate nothing; a third dataset has 2 images.
    """
    import numpy as np
    import pandas as pd

    from uncertsam.experiments.controls.design import CELLS, REFERENCE

    rng, rows = np.random.default_rng(0), []
    for dataset, images in {"reef": 6, "shoal": 6, "few": 2}.items():
        for image, mask in ((i, 10 * i + j) for i in range(images) for j in range(2)):
            level, noise = rng.uniform(0.3, 0.6), rng.normal(0, 0.05)
            for metric in ("pearson", "brier", "iou", "boundary_iou_0.02", "nll", "aurc", "mean_u"):
                for changed, name in CELLS.items():
                    value = level + noise * ("precision" in changed)
                    if metric == "pearson":
                        value += 0.2 * ("token" in changed) + 0.01 * ("bayes" in changed)
                    if metric == "iou":
                        value -= 0.1 * ("token" in changed)
                    rows.append((dataset, image, mask, name, metric, value))
                for name, step in {REFERENCE: 0.0, "laplace_n5": 0.02, "laplace_bernoulli": 0.0}.items():
                    rows.append((dataset, image, mask, name, metric, level + step))
    columns = ["dataset", "image_id", "mask_id", "method", "metric", "value"]
    return pd.DataFrame(rows, columns=columns).assign(region="full")


@pytest.fixture(scope="session")
def control_reports(controlled, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the reports of `controlled`."""
    from uncertsam.experiments.controls.table import CONTROLS, settings_rows, summary
    from uncertsam.experiments.subset import MASKS
    from uncertsam.statistics.intervals import DatasetFacts
    from uncertsam.statistics.table import PER_MASK

    folder = tmp_path_factory.mktemp("controls")
    facts = {name: DatasetFacts(name != "reef", "human") for name in controlled["dataset"].unique()}
    methods = [name for name in controlled["method"].unique() if name.startswith("laplace_")]
    settings = {name: {"prior_precision": 2.0, "temperature": 1.0} for name in methods}
    PER_MASK.write(folder / "controls.parquet", controlled)
    CONTROLS.write(folder / "controls.csv", summary(controlled, facts, settings_rows(settings), 200, 0))
    masks = controlled[["dataset", "image_id", "mask_id"]].drop_duplicates()
    masks = masks.assign(split="test", image_sha256="a", mask_sha256="b")
    MASKS.write(folder / "controls_subset.csv", masks)
    return folder
