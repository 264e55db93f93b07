"""The command says in one line what is wrong and how to mend it."""

import sys

import pytest

from uncertsam.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> SystemExit:
    monkeypatch.setattr(sys, "argv", ["uncertsam", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    return stop.value


def test_a_mistake_is_one_line_without_traceback(root, monkeypatch):
    monkeypatch.chdir(root)
    stop = run(monkeypatch, "use", "nonsense")
    assert str(stop).startswith("error: There is no profile 'nonsense'. Choose one of demo, folder, paper.")


def test_comparing_with_nothing_fails(root, monkeypatch, tmp_path):
    assert "holds no tables" in str(run(monkeypatch, "compare", str(root / "reports"), str(tmp_path / "nowhere")))
