"""A recorded run is never lost, and sent once."""

import logging
import math
import shutil
import socket
import subprocess
import time

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from uncertsam import tracking
from uncertsam.tracking._record import SPOOL, read, waiting
from uncertsam.tracking._send import clean

PARAMS = {"base": {"seed": 0}, "laplace": {"n": 10, "likelihood": "softmax_pixels"}}


def test_a_run_reads_back_as_it_was_recorded(home, monkeypatch, runs_in, artifacts_of):
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
    expected = {
        "git.sha": head,
        "git.dirty": "false",
        "stage": "predict",
        "method": "laplace",
        "profile": "demo",
        "dataset": "camouflage",
        "data.camouflage": "1" * 32 + ".dir",
        "mlflow.parentRunId": parent.info.run_id,
        "dvc.stage": "predict@laplace-camouflage",
    }
    assert expected.items() <= run.data.tags.items()
    assert [item.dataset.digest for item in run.inputs.dataset_inputs] == ["1" * 32 + ".dir"]
    assert artifacts_of(client, run, "figures") == {"figures/radar.svg"}
    assert (home / "mlartifacts" / run.info.run_id / "artifacts" / "figures" / "radar.svg").read_text() == "<svg/>"
    assert run.info.status == "FINISHED"


def test_runs_of_one_invocation_share_a_parent_and_an_experiment_has_its_own(home, monkeypatch, runs_in, record_one):
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


def test_sending_a_record_again_changes_nothing(home, runs_in, record_one):
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
    ("step", "call"),
    [("create_run", 2), ("log_batch", 2), ("log_artifacts", 1)],
)
def test_ctrl_c_after_any_step_keeps_the_record_and_makes_no_second_run(
    home, monkeypatch, step, call, runs_in, artifacts_of
):
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


def test_an_unreachable_server_costs_one_line_and_loses_nothing(home, monkeypatch, caplog, runs_in, record_one):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed.getsockname()[1]}")
    begun = time.monotonic()
    record_one()
    record_one("report")
    assert time.monotonic() - begun < 10
    (line,) = [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert line.startswith("runs kept in .tracking for `uncertsam track send`: 2 (") and len(line.splitlines()) == 1
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.send() == tracking.Sent(2, 0)
    assert runs_in(home)[1].keys() == {"repro", "predict", "report"}


def test_a_broken_record_is_kept_and_holds_up_no_other(home, record_one):
    record_one("encode")
    (folder,) = waiting(home)
    (folder / "run.json").write_text("{")
    record_one("predict")
    sent = tracking.send()
    assert (sent.sent, sent.kept) == (1, 1) and sent.problem
    assert waiting(home) == [folder]


def test_one_process_sends_at_a_time(home, record_one):
    record_one()
    with FileLock(home / SPOOL / "lock"):
        assert tracking.send(wait_seconds=0.0) == tracking.Sent(0, 1, "another process is sending")
    assert tracking.send().sent == 1


def test_a_failed_run_is_failed_in_mlflow(home, runs_in):
    with pytest.raises(ValueError), tracking.stage("predict", PARAMS):
        raise ValueError("no mask")
    tracking.send()
    assert {run.info.status for run in runs_in(home)[1].values()} == {"FAILED"}


def test_a_stage_in_a_temporary_workspace_records_in_the_real_root(home, tmp_path, monkeypatch, runs_in, record_one):
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


def test_a_run_is_sent_by_its_own_stage_only_when_that_took_long(home, record_one):
    record_one()
    assert len(waiting(home)) == 1
    (home / "params.yaml").write_text("tracking: {flush_after_seconds: 0}\n")
    with tracking.stage("train", PARAMS):
        time.sleep(0.01)
    assert waiting(home) == []


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_metric_name_becomes_one_that_mlflow_accepts_and_no_two_become_one(name, other):
    from mlflow.utils.validation import _validate_metric_name

    _validate_metric_name(clean(name))
    assert len(clean(name)) <= 250
    assert (clean(name) == clean(other)) == (name == other)


@pytest.mark.parametrize("name", ["camouflage.boundary_iou_0.02_roi", "train/loss", "AURC 5", "a-b"])
def test_a_metric_name_that_mlflow_accepts_stays_as_it_is(name):
    assert clean(name) == name


def invocation(home, samples, methods=("sam", "laplace"), experiment=None):
    """What `dvc exp run -S laplace.samples=...` does to the tracking: params, then the stages, one run per cell."""
    (home / "params.yaml").write_text(f"base: {{seed: 0, profile: demo}}\nlaplace: {{samples: {samples}}}\n")
    with pytest.MonkeyPatch.context() as patch:
        if experiment:
            patch.setenv("DVC_EXP_NAME", experiment)
        for method in methods:
            with tracking.stage("measure", {"samples": samples}, method=method, dataset="camouflage") as run:
                run.metrics({"iou": 0.5 + samples / 1000, "pearson": 0.7})
    assert tracking.send().kept == 0


def runs_with_parents(home):
    """Parents by id, and the children of each."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    found = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    children: dict[str, list] = {}
    for run in found:
        if parent := run.data.tags.get("mlflow.parentRunId"):
            children.setdefault(parent, []).append(run)
    return {run.info.run_id: run for run in found if "mlflow.parentRunId" not in run.data.tags}, children


@pytest.mark.parametrize("names", [("wide", "narrow"), (None, None)])
def test_two_invocations_with_other_params_have_a_parent_each_with_its_own_params(home, names):
    for samples, name in zip((10, 100), names, strict=True):
        invocation(home, samples, experiment=name)
    parents, children = runs_with_parents(home)
    assert children.keys() == parents.keys() and len(parents) == 2  # no parent is itself a child: one level
    assert {run.data.params["laplace.samples"] for run in parents.values()} == {"10", "100"}
    for parent, runs in children.items():
        assert {run.data.params["samples"] for run in runs} == {parents[parent].data.params["laplace.samples"]}


def test_the_same_invocation_again_joins_its_parent(home):
    invocation(home, 10, methods=["sam"])
    invocation(home, 10, methods=["laplace"])
    parents, children = runs_with_parents(home)
    assert len(parents) == 1 and [len(runs) for runs in children.values()] == [2]


def test_ablations_share_the_names_of_their_metrics_and_can_be_told_apart_by_params_and_tags(home):
    """What the UI compares in one column must have one name: no method, sample number or experiment is part of it."""
    for samples in (10, 100):
        invocation(home, samples)
    _, children = runs_with_parents(home)
    runs = [run for siblings in children.values() for run in siblings]
    assert {frozenset(run.data.metrics) for run in runs} == {frozenset({"camouflage.iou", "camouflage.pearson"})}
    told_apart = {(run.data.tags["method"], run.data.params["samples"]) for run in runs}
    assert len(told_apart) == len(runs) == 4
    assert {run.data.tags["stage"] for run in runs} == {"measure"}
