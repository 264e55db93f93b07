"""A tiny experiment: begun by every test, or run once by the real stages and copied by every test."""

import shutil
from pathlib import Path

import pytest
from spoiling import STAGES, begin
from staging import stage


def run(root: Path, stages: list[str]) -> Path:
    begin(root, photos=18)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name in stages:
            stage(name)
    return root


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first stages, run once."""
    return run(tmp_path_factory.mktemp("prepared"), STAGES[: STAGES.index("encode") + 1])


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole experiment, run once, in a folder with a blank and letters beyond ASCII in its name."""
    return run(tmp_path_factory.mktemp("a run ünder 猫"), STAGES)


@pytest.fixture
def begun(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what the first stages left; the current folder."""
    root = Path(shutil.copytree(prepared, tmp_path / "ein Lauf"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be spoiled; the current folder."""
    root = Path(shutil.copytree(finished, tmp_path / "ein Lauf"))
    monkeypatch.chdir(root)
    return root
