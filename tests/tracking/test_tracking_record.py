"""A stage records its run in milliseconds, and never fails for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from uncertsam import tracking
from uncertsam.base.errors import UserError
from uncertsam.tracking._place import dataset_digest
from uncertsam.tracking._record import SPOOL, read, waiting


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no mask"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(1), "FAILED")]
)
def test_a_stage_that_raises_is_recorded_and_still_raises(bare, error, status):
    with pytest.raises(type(error)), tracking.stage("predict", {}) as run:
        run.metrics({"iou": 0.5})
        raise error
    record = read(waiting(bare)[0])
    assert record.status == status
    assert record.tags["error"] == f"{type(error).__name__}: {error}"
    assert [point[:2] for point in record.metrics] == [("iou", 0.5)]


def test_edited_code_is_dirty_and_edited_params_are_not(bare, record_one):
    (bare / "params.yaml").write_text("base: {seed: 1}\n")
    record_one()
    (bare / "code.py").write_text("")
    subprocess.run(["git", "add", "code.py"], cwd=bare, check=True)
    record_one()
    assert [read(folder).tags["git.dirty"] for folder in waiting(bare)] == ["false", "true"]


@pytest.mark.parametrize("off", ["parameter", "environment"])
def test_tracking_that_is_off_writes_nothing(bare, monkeypatch, off, record_one):
    if off == "environment":
        monkeypatch.setenv("MLFLOW_DISABLED", "true")
    else:
        (bare / "params.yaml").write_text("tracking: {enabled: false}\n")
    record_one("report")
    assert not (bare / SPOOL).exists()


def test_a_spool_that_cannot_be_written_does_not_fail_the_stage(bare, caplog, record_one):
    (bare / SPOOL).write_text("in the way")
    record_one()
    assert "was not recorded" in caplog.text


def test_recording_imports_nothing_heavy(bare):
    code = (
        "import sys; from uncertsam import tracking\n"
        "with tracking.stage('predict', {}): pass\n"
        "print(*{'mlflow', 'torch', 'pandas', 'numpy'} & set(sys.modules))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(tracking.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "" and len(waiting(bare)) == 1


def test_the_digest_of_a_dataset_is_that_of_its_own_preprocessing(bare):
    import yaml

    stages = yaml.safe_load((bare / "dvc.lock").read_text())["stages"]
    for dataset in ("camouflage", "soft_shadows"):
        assert dataset_digest(bare, dataset) == stages[f"preprocess@{dataset}"]["outs"][0]["md5"]
    assert dataset_digest(bare, "shadows") is None


def test_the_stage_that_makes_a_dataset_does_not_claim_to_have_read_its_last_state(bare):
    for name in ("preprocess", "predict"):
        with tracking.stage(name, {}, dataset="camouflage"):
            pass
    assert [list(read(folder).inputs) for folder in waiting(bare)] == [[], ["camouflage"]]


def test_outside_of_a_repository_the_user_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(Path(tmp_path.anchor))
    with pytest.raises(UserError, match=r"neither params\.yaml nor \.git"):
        tracking.repository_root()
