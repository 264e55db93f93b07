"""The golden slice tells a changed code from another machine, and says where to look."""

import json
import shutil
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


def verdicts(folder: Path) -> dict[str, str]:
    return {finding.step: finding.verdict for finding in _regression_check.verify(folder, "sam2_nano", WEIGHTS)}


def test_running_it_again_gives_what_was_recorded(recorded):
    findings = _regression_check.verify(recorded, "sam2_nano", WEIGHTS)
    assert {finding.verdict for finding in findings} == {"as recorded"}
    assert _regression_check.explain(findings) == "everything is as recorded"


def test_a_changed_metric_is_told_from_a_changed_model(recorded, monkeypatch):
    true = masks.brier
    monkeypatch.setattr(masks, "brier", lambda *given: true(*given) + 0.05)
    findings = _regression_check.verify(recorded, "sam2_nano", WEIGHTS)
    found = {finding.step: finding.verdict for finding in findings}
    assert found["measure stored maps"] == "CHANGED" and found["predict sam"] == "as recorded"
    assert "look at measure stored maps first" in _regression_check.explain(findings)


def test_a_changed_method_is_named_before_what_follows_from_it(recorded, tmp_path):
    folder = tmp_path / "golden"
    shutil.copytree(recorded, folder)
    expected = json.loads((folder / "expected.json").read_text())
    expected["params"]["methods"]["boundary_distance"]["scale"] = 0.05
    (folder / "expected.json").write_text(json.dumps(expected))
    found = verdicts(folder)
    assert found["predict boundary_distance"] == "CHANGED" and found["predict sam"] == "as recorded"


def test_rounding_is_told_from_change(recorded, tmp_path):
    folder = tmp_path / "golden"
    shutil.copytree(recorded, folder)
    expected = json.loads((folder / "expected.json").read_text())
    steps = expected["steps"]["predict sam"]
    steps["mean of logits 0"] += 1e-4
    (folder / "expected.json").write_text(json.dumps(expected))
    findings = _regression_check.verify(folder, "sam2_nano", WEIGHTS)
    assert "differs as machines do" in {finding.verdict for finding in findings}
    assert "another machine" in _regression_check.explain(findings)


def test_other_weights_are_refused(recorded, tmp_path):
    folder = tmp_path / "golden"
    shutil.copytree(recorded, folder)
    expected = json.loads((folder / "expected.json").read_text())
    (folder / "expected.json").write_text(json.dumps(expected | {"weights": "0" * 64}))
    with pytest.raises(UserError, match="other weights"):
        _regression_check.verify(folder, "sam2_nano", WEIGHTS)


def test_a_lost_record_is_a_clear_error(tmp_path):
    with pytest.raises(UserError, match="expected.json cannot be read"):
        _regression_check.verify(tmp_path, "sam2_nano", WEIGHTS)
