"""Measures are kept exactly as long as maps, truth and code stay what they were."""

import json

import pandas as pd
import pytest
from cells import long

from uncertsam.metrics.curves import COLUMNS as CURVES
from uncertsam.metrics.measure import Measures
from uncertsam.statistics.metric_cache import MetricCache


@pytest.fixture
def store(tmp_path) -> MetricCache:
    """Two methods' maps and a truth, as files that nobody looks into."""
    for method in ("sam", "laplace"):
        (tmp_path / "predictions" / method).mkdir(parents=True)
        (tmp_path / "predictions" / method / "maps.safetensors").write_text(method)
    (tmp_path / "truth" / "annotations").mkdir(parents=True)
    (tmp_path / "truth" / "annotations" / "dataset.json").write_text("{}")
    return MetricCache(tmp_path / "measures", tmp_path / "predictions", tmp_path / "truth")


@pytest.fixture
def found() -> Measures:
    row = {"dataset": "d", "method": "sam", "metric": "iou", "value": 0.5}
    return Measures(long(pd.DataFrame([row])), pd.DataFrame(columns=CURVES))


def test_what_was_measured_is_held_and_nothing_else(store, found):
    assert not store.holds("sam")
    store.write("sam", found)
    assert store.holds("sam") and not store.holds("laplace")
    assert store.means("sam") == {"iou": 0.5}


def test_changed_maps_of_one_method_let_go_of_that_method_only(store, found):
    store.write("sam", found)
    store.write("laplace", found)
    (store.predictions / "laplace" / "maps.safetensors").write_text("other maps")
    assert store.holds("sam") and not store.holds("laplace")


def test_a_changed_truth_lets_go_of_every_method(store, found):
    store.write("sam", found)
    (store.truth / "annotations" / "dataset.json").write_text('{"other": 1}')
    assert not store.holds("sam")


def test_changed_code_of_the_metrics_lets_go_of_every_method(store, found, tmp_path, monkeypatch):
    import uncertsam.metrics

    store.write("sam", found)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "masks.py").write_text("other = code")
    monkeypatch.setattr(uncertsam.metrics, "__path__", [str(tmp_path / "code")])
    assert not store.holds("sam")


@pytest.mark.parametrize("name", ["sam.parquet", "sam.curves.parquet", "sam.json"])
def test_a_lost_file_is_measured_again(store, found, name):
    store.write("sam", found)
    (store.root / name).unlink()
    assert not store.holds("sam")


def test_a_broken_record_is_measured_again(store, found):
    store.write("sam", found)
    (store.root / "sam.json").write_text("{")
    assert not store.holds("sam")
    (store.root / "sam.json").write_text(json.dumps({"other": 1}))
    assert not store.holds("sam")


def test_methods_that_are_no_longer_compared_are_forgotten(store, found):
    store.write("sam", found)
    store.write("laplace", found)
    store.forget_others(["sam"])
    assert sorted(path.name for path in store.root.iterdir()) == ["sam.curves.parquet", "sam.json", "sam.parquet"]
