"""The golden slice tells a changed code from another machine, and says where to look."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from uncertsam.app import _regression_check
from uncertsam.base.errors import UserError
from uncertsam.config.training import FitLaplace
from uncertsam.metrics import masks

WEIGHTS = Path(__file__).parents[2] / "checkpoints" / "sam2_nano.safetensors"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """Two of the shipped pictures, recorded here and now with two methods only."""
    folder = tmp_path_factory.mktemp("golden") / "golden"
    shutil.copytree(WEIGHTS.parents[1] / "data" / "golden", folder)
    index = folder / "annotations" / "dataset.json"
    slim = json.loads(index.read_text())
    slim["images"] = slim["images"][:2]
    slim["annotations"] = [a for a in slim["annotations"] if a["image_id"] <= 2]
    index.write_text(json.dumps(slim))
    params = yaml.safe_load((WEIGHTS.parents[1] / "profiles" / "demo.yaml").read_text())
    methods = {name: params["methods"][name] for name in ("sam", "boundary_distance")}
    _regression_check.record(folder, "sam2_nano", WEIGHTS, methods, FitLaplace())
    return folder


def verify(folder: Path) -> tuple[dict[str, str], str]:
    """The verdict on each step, and what is said of them."""
    findings = _regression_check.verify(folder, "sam2_nano", WEIGHTS)
    return {finding.step: finding.verdict for finding in findings}, _regression_check.explain(findings)


def edited(recorded: Path, folder: Path, change: Callable[[dict], object]) -> Path:
    """A copy in which something else is expected."""
    shutil.copytree(recorded, folder)
    expected = json.loads((folder / "expected.json").read_text())
    change(expected)
    (folder / "expected.json").write_text(json.dumps(expected))
    return folder


def test_running_it_again_gives_what_was_recorded(recorded):
    found, said = verify(recorded)
    assert set(found.values()) == {"as recorded"} and said == "everything is as recorded"


def test_a_changed_metric_is_told_from_a_changed_model(recorded, monkeypatch):
    true = masks.brier
    monkeypatch.setattr(masks, "brier", lambda *given: true(*given) + 0.05)
    found, said = verify(recorded)
    assert found["measure stored maps"] == "CHANGED" and found["predict sam"] == "as recorded"
    assert "look at measure stored maps first" in said


def test_a_changed_method_is_named_before_what_follows_from_it(recorded, tmp_path):
    def rescaled(expected):
        expected["params"]["methods"]["boundary_distance"]["scale"] = 0.05

    found, _ = verify(edited(recorded, tmp_path / "a", rescaled))
    assert found["predict boundary_distance"] == "CHANGED" and found["predict sam"] == "as recorded"


def test_rounding_is_told_from_change(recorded, tmp_path):
    def rounded(expected):
        expected["steps"]["predict sam"]["mean of logits 0"] += 1e-4

    found, said = verify(edited(recorded, tmp_path / "a", rounded))
    assert "differs as machines do" in found.values() and "another machine" in said


def test_other_weights_are_refused(recorded, tmp_path):
    with pytest.raises(UserError, match="other weights"):
        verify(edited(recorded, tmp_path / "a", lambda v: v.update(weights="0" * 64)))


def test_a_lost_record_is_a_clear_error(tmp_path):
    with pytest.raises(UserError, match="expected.json cannot be read"):
        verify(tmp_path)
