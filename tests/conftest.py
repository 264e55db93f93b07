"""Tests never record runs in the repository, and find the real photos only where they lie beside it."""

import os
from pathlib import Path

import pytest

os.environ["MLFLOW_DISABLED"] = "1"  # the tests of tracking unset it
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small tensors: a second thread waits more than it helps

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("UNCERTSAM_REAL") or ROOT.parent / "shared" / "data" / "real")


@pytest.fixture
def real_data() -> Path:
    """The folder of real photos; the test is skipped, saying so, where it is absent."""
    if not REAL.is_dir():
        pytest.skip(f"there are no real photos in {REAL}: set UNCERTSAM_REAL to a folder of them")
    return REAL


@pytest.fixture
def root() -> Path:
    return ROOT
