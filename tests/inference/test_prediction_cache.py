"""Answers are kept exactly as long as parameters, data, model, fitted part and code stay what they were."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import uncertsam
from uncertsam.inference.prediction_cache import PredictionCache

PARAMS = {"samples": 10}


@pytest.fixture
def cells(tmp_path) -> PredictionCache:
    """Cells of two methods as the stage leaves them, one with a fitted part; nobody looks into the maps."""
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "fitted" / "laplace").mkdir(parents=True)
    (tmp_path / "fitted" / "laplace" / "posterior.safetensors").write_text("fitted")
    facts = {"dataset": "d", "model_sha256": "m", "seed": 0}
    cells = PredictionCache(tmp_path / "cells", facts, [tmp_path / "dataset.json"], tmp_path / "fitted")
    for method in ("sam", "laplace"):
        write(cells, method)
    return cells


def write(cells: PredictionCache, method: str) -> None:
    (cells.root / method).mkdir(parents=True, exist_ok=True)
    (cells.root / method / "meta.json").write_text(json.dumps({"made_from": cells.origin(method, PARAMS)}))


def test_what_was_answered_is_held_and_nothing_else(cells):
    assert cells.holds("sam", PARAMS) and cells.holds("laplace", PARAMS)
    assert not cells.holds("prompt", PARAMS)


def test_another_knob_lets_go_of_its_method_only(cells):
    assert not cells.holds("sam", {"samples": 11}) and cells.holds("laplace", PARAMS)


def test_another_posterior_lets_go_of_the_methods_that_read_it_only(cells):
    (cells.fitted / "laplace" / "posterior.safetensors").write_text("fitted anew")
    assert cells.holds("sam", PARAMS) and not cells.holds("laplace", PARAMS)


@pytest.mark.parametrize("changed", [{"model_sha256": "other"}, {"seed": 1}, {"dataset": "e"}])
def test_another_model_seed_or_dataset_lets_go_of_every_method(cells, changed):
    other = replace(cells, facts={**cells.facts, **changed})
    assert not other.holds("sam", PARAMS) and not other.holds("laplace", PARAMS)


def test_other_data_let_go_of_every_method(cells):
    next(iter(cells.files)).write_text('{"other": 1}')
    assert not cells.holds("sam", PARAMS) and not cells.holds("laplace", PARAMS)


@pytest.mark.parametrize(
    ("file", "held"),
    [
        ("methods/sam.py", ["laplace"]),
        ("methods/laplace.py", ["sam"]),
        ("inference/algebra.py", []),
        ("methods/constant.py", ["sam", "laplace"]),
    ],
)
def test_changed_code_lets_go_of_the_methods_that_it_makes(cells, tmp_path, monkeypatch, file, held):
    source, copy = Path(uncertsam.__path__[0]), tmp_path / "package"
    for path in [p for room in ("inference", "methods", "models") for p in source.glob(f"{room}/**/*.py")]:
        (copy / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        (copy / path.relative_to(source)).write_bytes(path.read_bytes())
    monkeypatch.setattr(uncertsam, "__path__", [str(copy)])
    for method in ("sam", "laplace"):
        write(cells, method)
    (copy / file).write_text("# changed")
    assert [method for method in ("sam", "laplace") if cells.holds(method, PARAMS)] == held


def test_methods_that_are_no_longer_compared_leave_nothing(cells):
    cells.forget_others(["sam"])
    assert [path.name for path in cells.root.iterdir()] == ["sam"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_cell_without_its_origin_is_not_held(cells, content):
    (cells.root / "sam" / "meta.json").write_text(content)
    assert not cells.holds("sam", PARAMS)
