"""Runs are recorded in milliseconds, never lost, and sent once."""

import json
import logging
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from uncertsam import tracking
from uncertsam.errors import UserError
from uncertsam.tracking.place import dataset_digest
from uncertsam.tracking.record import SPOOL, read, waiting
from uncertsam.tracking.send import clean

PARAMS = {"base": {"seed": 0}, "laplace": {"n": 10, "likelihood": "softmax_pixels"}}
LOCK = """schema: '2.0'
stages:
  preprocess@camouflage:
    cmd: python stages/preprocess.py
    deps:
    - path: data/raw/camouflage
      md5: 00000000000000000000000000000000.dir
    outs:
    - path: data/benchmark/camouflage
      hash: md5
      md5: 11111111111111111111111111111111.dir
  preprocess@soft_shadows:
    cmd: python stages/preprocess.py
    outs:
    - path: data/benchmark/soft_shadows
      hash: md5
      md5: 22222222222222222222222222222222.dir
  fit_laplace:
    cmd: python stages/fit_laplace.py
    params:
      params.yaml:
        base.seed: 0
        laplace.likelihood: softmax_pixels
    outs:
    - path: data/fitted/laplace
      md5: 33333333333333333333333333333333.dir
  predict@constant-camouflage:
    cmd: python stages/predict.py
    params:
      params.yaml:
        base.seed: 0
        constant.value: 0.5
    outs:
    - path: data/predictions/constant/camouflage
      md5: 44444444444444444444444444444444.dir
"""
SCORES = {
    "camouflage": {"laplace": {"iou": 0.5, "pearson": None}, "constant": {"iou": 0.5, "boundary_iou_0.02_roi": 0.25}},
    "soft_shadows": {"laplace": {"iou": 0.75}},
}
INTERVALS = """dataset,method,metric,region,mean_masks,low,high,synthetic
camouflage,laplace,iou,full,0.5,0.4,0.6,True
camouflage,constant,iou,full,0.5,0.4,0.6,True
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A git repository with an empty MLflow store: its tables take seconds to make, and are copied by every test."""
    from mlflow import MlflowClient

    root = tmp_path_factory.mktemp("template")
    (root / "params.yaml").write_text("base: {seed: 0, profile: demo}\n")
    (root / "dvc.lock").write_text(LOCK)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    MlflowClient(f"sqlite:///{root}/mlflow.db")
    return root


@pytest.fixture
def home(repository, tmp_path, monkeypatch):
    for name in ("DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV", "MLFLOW_TRACKING_URI",
                 "MLFLOW_DISABLED", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    root = shutil.copytree(repository, tmp_path / "a home")
    monkeypatch.chdir(root)
    return root


def runs_in(home):
    """All runs, by name. A name that two runs share fails here."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    runs = {run.info.run_name: run for run in found}
    assert len(runs) == len(found)
    return client, runs


def artifacts_of(client, run, folder=""):
    return {item.path for item in client.list_artifacts(run.info.run_id, folder)}


def record_one(name="predict"):
    with tracking.stage(name, PARAMS) as run:
        run.metrics({"iou": 0.5})


def test_a_run_reads_back_as_it_was_recorded(home, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "predict@laplace-camouflage")
    figure = home / "radar.svg"
    figure.write_text("<svg/>")
    with tracking.stage("predict", PARAMS, method="laplace", dataset="camouflage") as run:
        run.metrics({"iou": 0.8125, "pearson": None, "roi": {"iou": 0.5}})
        for step in range(3):
            run.metric_step("loss", 1 / (step + 1), step)
        run.figure(figure)
    figure.unlink()  # like the workspace of an experiment, which is gone when the run is sent
    assert tracking.send() == tracking.Sent(1, 0)
    client, runs = runs_in(home)
    run, parent = runs["predict/laplace/camouflage"], runs["repro"]
    assert run.data.params == {"base.seed": "0", "laplace.n": "10", "laplace.likelihood": "softmax_pixels"}
    assert math.isnan(run.data.metrics.pop("camouflage.pearson"))
    assert run.data.metrics == {"camouflage.iou": 0.8125, "camouflage.roi.iou": 0.5, "camouflage.loss": 1 / 3}
    assert [p.value for p in client.get_metric_history(run.info.run_id, "camouflage.loss")] == [1, 1 / 2, 1 / 3]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=home, capture_output=True, text=True).stdout.strip()
    expected = {"git.sha": head, "git.dirty": "false", "stage": "predict", "method": "laplace", "profile": "demo",
                "dataset": "camouflage", "data.camouflage": "1" * 32 + ".dir", "mlflow.parentRunId": parent.info.run_id,
                "dvc.stage": "predict@laplace-camouflage"}
    assert expected.items() <= run.data.tags.items()
    assert [item.dataset.digest for item in run.inputs.dataset_inputs] == ["1" * 32 + ".dir"]
    assert artifacts_of(client, run, "figures") == {"figures/radar.svg"}
    assert (home / "mlartifacts" / run.info.run_id / "artifacts" / "figures" / "radar.svg").read_text() == "<svg/>"
    assert run.info.status == "FINISHED"


def test_runs_of_one_invocation_share_a_parent_and_an_experiment_has_its_own(home, monkeypatch):
    record_one("encode")
    record_one("predict")
    monkeypatch.setenv("DVC_EXP_NAME", "more-samples")
    record_one("measure")
    assert tracking.send().sent == 3
    _, runs = runs_in(home)
    parent = {name: run.data.tags.get("mlflow.parentRunId") for name, run in runs.items()}
    assert parent["encode"] == parent["predict"] == runs["repro"].info.run_id
    assert parent["measure"] == runs["more-samples"].info.run_id
    assert parent["repro"] is parent["more-samples"] is None
    assert runs["repro"].data.params == {"base.seed": "0", "base.profile": "demo"}


def test_sending_a_record_again_changes_nothing(home):
    record_one()
    (folder,) = waiting(home)
    copy = shutil.copytree(folder, home / "copy")
    assert tracking.send().sent == 1
    client, before = runs_in(home)
    shutil.copytree(copy, folder)
    assert tracking.send().sent == 1
    _, after = runs_in(home)
    assert {name: run.to_dictionary() for name, run in after.items()} == {
        name: run.to_dictionary() for name, run in before.items()
    }
    assert len(client.get_metric_history(after["predict"].info.run_id, "iou")) == 1


@pytest.mark.parametrize(
    ("step", "call"), [("create_run", 1), ("create_run", 2), ("log_batch", 2), ("log_artifacts", 1), ("set_terminated", 1)]
)
def test_ctrl_c_after_any_step_keeps_the_record_and_makes_no_second_run(home, monkeypatch, step, call):
    import mlflow

    original, calls = getattr(mlflow.MlflowClient, step), []

    def interrupted(*args, **kwargs):
        result = original(*args, **kwargs)
        calls.append(step)
        if len(calls) == call:
            raise KeyboardInterrupt
        return result

    with tracking.stage("predict", PARAMS) as run:
        run.metrics({"iou": 0.5})
        run.artifact(home / "params.yaml")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(mlflow.MlflowClient, step, interrupted)
        tracking.send()
    assert len(waiting(home)) == 1
    assert tracking.send() == tracking.Sent(1, 0)
    client, runs = runs_in(home)
    assert runs.keys() == {"repro", "predict"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert len(client.get_metric_history(runs["predict"].info.run_id, "iou")) == 1
    assert artifacts_of(client, runs["predict"]) == {"params.yaml"}


def test_an_unreachable_server_costs_one_line_and_loses_nothing(home, monkeypatch, caplog):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed.getsockname()[1]}")
    begun = time.monotonic()
    record_one()
    record_one("report")
    assert time.monotonic() - begun < 10
    (line,) = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert line.startswith("2 runs wait in .tracking") and "\n" not in line
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.send() == tracking.Sent(2, 0)
    assert runs_in(home)[1].keys() == {"repro", "predict", "report"}


def test_a_broken_record_is_kept_and_holds_up_no_other(home):
    record_one("encode")
    (folder,) = waiting(home)
    (folder / "run.json").write_text("{")
    record_one("predict")
    sent = tracking.send()
    assert (sent.sent, sent.kept) == (1, 1) and sent.problem
    assert waiting(home) == [folder]


def test_one_process_sends_at_a_time(home):
    record_one()
    with FileLock(home / SPOOL / "lock"):
        assert tracking.send(wait_seconds=0.0) == tracking.Sent(0, 1, "another process is sending")
    assert tracking.send().sent == 1


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no mask"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(1), "FAILED")]
)
def test_a_stage_that_raises_is_recorded_and_still_raises(home, error, status):
    with pytest.raises(type(error)), tracking.stage("predict", PARAMS) as run:
        run.metrics({"iou": 0.5})
        raise error
    record = read(waiting(home)[0])
    assert record.status == status
    assert record.tags["error"] == f"{type(error).__name__}: {error}"
    assert [point[:2] for point in record.metrics] == [("iou", 0.5)]


def test_a_failed_run_is_failed_in_mlflow(home):
    with pytest.raises(ValueError), tracking.stage("predict", PARAMS):
        raise ValueError("no mask")
    tracking.send()
    assert {run.info.status for run in runs_in(home)[1].values()} == {"FAILED"}


def test_a_stage_in_a_temporary_workspace_records_in_the_real_root(home, tmp_path, monkeypatch):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "params.yaml").write_text("base: {seed: 7}\n")
    monkeypatch.setenv("DVC_ROOT", str(home))
    monkeypatch.chdir(workspace)
    record_one()
    (folder,) = waiting(home)
    assert read(folder).parent.params == {"base.seed": "7"}
    assert not (workspace / SPOOL).exists()
    assert tracking.send().sent == 1
    assert runs_in(home)[1].keys() == {"repro", "predict"}


def test_edited_code_is_dirty_and_edited_params_are_not(home):
    (home / "params.yaml").write_text("base: {seed: 1}\n")
    record_one()
    (home / "code.py").write_text("")
    subprocess.run(["git", "add", "code.py"], cwd=home, check=True)
    record_one()
    assert [read(folder).tags["git.dirty"] for folder in waiting(home)] == ["false", "true"]


@pytest.mark.parametrize("off", ["parameter", "environment"])
def test_tracking_that_is_off_writes_nothing(home, monkeypatch, off):
    if off == "environment":
        monkeypatch.setenv("MLFLOW_DISABLED", "true")
    else:
        (home / "params.yaml").write_text("tracking: {enabled: false}\n")
    record_one("report")
    assert not (home / SPOOL).exists()


@pytest.mark.parametrize("setting", ["enabled: 1", "flush_after_seconds: soon", "flush_after_seconds: -1"])
def test_a_wrong_setting_is_named_before_the_work_begins(home, setting):
    (home / "params.yaml").write_text(f"tracking: {{{setting}}}\n")
    with pytest.raises(UserError, match=f"tracking.{setting.split(':')[0]}"), tracking.stage("predict", PARAMS):
        pytest.fail("the stage has begun")


def test_a_run_is_sent_by_its_own_stage_only_when_that_took_long(home):
    record_one()
    assert len(waiting(home)) == 1
    (home / "params.yaml").write_text("tracking: {flush_after_seconds: 0}\n")
    with tracking.stage("train", PARAMS):
        time.sleep(0.01)
    assert waiting(home) == []


def test_a_spool_that_cannot_be_written_does_not_fail_the_stage(home, caplog):
    (home / SPOOL).write_text("in the way")
    record_one()
    assert "was not recorded" in caplog.text


def test_recording_imports_nothing_heavy(home):
    code = (
        "import sys; from uncertsam import tracking\n"
        "with tracking.stage('predict', {}): pass\n"
        "print(*{'mlflow', 'torch', 'pandas', 'numpy'} & set(sys.modules))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(tracking.__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "" and len(waiting(home)) == 1


def test_the_digest_of_a_dataset_is_that_of_its_own_preprocessing(home):
    import yaml

    stages = yaml.safe_load(LOCK)["stages"]
    for dataset in ("camouflage", "soft_shadows"):
        assert dataset_digest(home, dataset) == stages[f"preprocess@{dataset}"]["outs"][0]["md5"]
    assert dataset_digest(home, "shadows") is None


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_metric_name_becomes_one_that_mlflow_accepts_and_no_two_become_one(name, other):
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(clean(name))
    assert len(clean(name)) <= 250
    assert (clean(name) == clean(other)) == (name == other)


@pytest.mark.parametrize("name", ["camouflage.boundary_iou_0.02_roi", "train/loss", "AURC 5", "a-b"])
def test_a_metric_name_that_mlflow_accepts_stays_as_it_is(name):
    assert clean(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "/absolute", "a//b", "a/", "p<0.05", "Cov@5Risk", "a\n"])
def test_a_metric_name_that_mlflow_refuses_is_mended(name):
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(clean(name))


@pytest.fixture
def results(home):
    """A repository with results, as the pipeline leaves them."""
    (home / "reports" / "figures").mkdir(parents=True)
    (home / "reports" / "metrics.json").write_text(json.dumps(SCORES))
    (home / "reports" / "intervals.csv").write_text(INTERVALS)
    (home / "reports" / "figures" / "radar.svg").write_text("<svg/>")
    (home / "data" / "fitted" / "laplace").mkdir(parents=True)
    (home / "data" / "fitted" / "laplace" / "laplace.safetensors").write_bytes(b"weights")
    return home


def view(home):
    """The rebuilt view as plain data, without MLflow's own ids."""
    _, runs = runs_in(home)
    return {
        name.split()[0]: (run.data.params, {k: str(v) for k, v in run.data.metrics.items()},
                          {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.parent")})
        for name, run in runs.items()
    }


def test_the_rebuilt_view_holds_the_numbers_of_the_reports(results):
    assert tracking.rebuild() == tracking.Sent(3, 0)
    client, runs = runs_in(results)
    children = {name: run for name, run in runs.items() if "method" in run.data.tags}
    (parent,) = [run for name, run in runs.items() if name not in children]
    shown = {name: {key: None if math.isnan(value) else value for key, value in run.data.metrics.items()}
             for name, run in children.items()}
    assert shown == {
        "laplace": {"camouflage.iou": 0.5, "camouflage.pearson": None, "soft_shadows.iou": 0.75},
        "constant": {"camouflage.iou": 0.5, "camouflage.boundary_iou_0.02_roi": 0.25},
    }
    laplace, constant = children["laplace"], children["constant"]
    assert laplace.data.params == {"base.seed": "0", "laplace.likelihood": "softmax_pixels"}
    assert constant.data.params == {"base.seed": "0", "constant.value": "0.5"}
    assert laplace.data.tags["data.soft_shadows"] == "2" * 32 + ".dir"
    assert laplace.data.tags["synthetic"] == "camouflage"
    assert laplace.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert artifacts_of(client, laplace, "fitted/laplace") == {"fitted/laplace/laplace.safetensors"}
    assert artifacts_of(client, constant) == {"intervals.csv"}
    assert artifacts_of(client, parent, "reports/figures") == {"reports/figures/radar.svg"}


def test_rebuilding_twice_or_after_the_store_is_deleted_gives_the_same_view(results, repository):
    tracking.rebuild()
    first = view(results)
    (results / "reports" / "metrics.json").touch()
    tracking.rebuild()
    assert view(results) == first
    again = shutil.copytree(results, results.parent / "another clone")
    shutil.copy(repository / "mlflow.db", again / "mlflow.db")
    tracking.rebuild(again)
    assert view(again) == first


def test_another_state_of_the_lock_has_runs_of_its_own(results):
    tracking.rebuild()
    (results / "dvc.lock").write_text(LOCK.replace("1111", "5555"))
    tracking.rebuild()
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{results}/mlflow.db")
    experiment = client.get_experiment_by_name("uncertsam")
    runs = client.search_runs([experiment.experiment_id], "tags.method = 'laplace'")
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs}) == len(runs) == 2


def test_the_weights_of_a_family_go_to_its_members_only(results):
    scores = {"camouflage": {name: {"iou": 0.5} for name in ("laplace_closed", "laplacian", "lap", "sam")}}
    (results / "reports" / "metrics.json").write_text(json.dumps(scores))
    tracking.rebuild()
    client, runs = runs_in(results)
    with_weights = {name for name, run in runs.items() if "fitted" in artifacts_of(client, run)}
    assert with_weights == {"laplace_closed"}


@pytest.mark.parametrize(("content", "said"), [(None, "is missing"), ("{", "is not JSON")])
def test_rebuilding_without_results_says_what_to_do(home, content, said):
    if content is not None:
        (home / "reports").mkdir()
        (home / "reports" / "metrics.json").write_text(content)
    with pytest.raises(UserError, match=said):
        tracking.rebuild()


def test_outside_of_a_repository_the_user_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(Path(tmp_path.anchor))
    with pytest.raises(UserError, match="neither params.yaml nor .git"):
        tracking.repository_root()
