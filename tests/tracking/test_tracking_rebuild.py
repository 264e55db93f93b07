"""Deleting mlflow.db loses nothing: the view comes back from the reports and the lock."""

import json
import math
import shutil

import pytest

from uncertsam import tracking
from uncertsam.base.errors import UserError

SCORES = {
    "camouflage": {"laplace": {"iou": 0.5, "pearson": None}, "constant": {"iou": 0.5, "boundary_iou_0.02_roi": 0.25}},
    "soft_shadows": {"laplace": {"iou": 0.75}},
}
INTERVALS = """dataset,method,metric,region,mean_masks,low,high,synthetic
camouflage,laplace,iou,full,0.5,0.4,0.6,True
camouflage,constant,iou,full,0.5,0.4,0.6,True
"""


@pytest.fixture
def results(home):
    """A repository with results, as the pipeline leaves them."""
    (home / "reports" / "figures").mkdir(parents=True)
    (home / "reports" / "metrics.json").write_text(json.dumps(SCORES))
    (home / "reports" / "intervals.csv").write_text(INTERVALS)
    (home / "reports" / "figures" / "radar.svg").write_text("<svg/>")
    (home / "data" / "fitted" / "sam2_nano" / "laplace").mkdir(parents=True)
    (home / "data" / "fitted" / "sam2_nano" / "laplace" / "laplace.safetensors").write_bytes(b"weights")
    return home


def view(home, runs_in):
    """The rebuilt view as plain data, without MLflow's own ids."""
    _, runs = runs_in(home)
    return {
        name.split()[0]: (
            run.data.params,
            {k: str(v) for k, v in run.data.metrics.items()},
            {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.parent")},
        )
        for name, run in runs.items()
    }


def test_the_rebuilt_view_holds_the_numbers_of_the_reports(results, runs_in, artifacts_of):
    assert tracking.rebuild() == tracking.Sent(3, 0)
    client, runs = runs_in(results)
    children = {name: run for name, run in runs.items() if "method" in run.data.tags}
    (parent,) = [run for name, run in runs.items() if name not in children]
    shown = {
        name: {key: None if math.isnan(value) else value for key, value in run.data.metrics.items()}
        for name, run in children.items()
    }
    assert shown == {
        "laplace": {"camouflage.iou": 0.5, "camouflage.pearson": None, "soft_shadows.iou": 0.75},
        "constant": {"camouflage.iou": 0.5, "camouflage.boundary_iou_0.02_roi": 0.25},
    }
    laplace, constant = children["laplace"], children["constant"]
    assert laplace.data.params == {"base.seed": "0", "fit_laplace.likelihood": "softmax_pixels"}
    assert constant.data.params == {"base.seed": "0", "methods.constant.value": "0.5"}
    assert laplace.data.tags["data.soft_shadows"] == "2" * 32 + ".dir"
    assert laplace.data.tags["synthetic"] == "camouflage"
    assert laplace.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert artifacts_of(client, laplace, "fitted/laplace") == {"fitted/laplace/laplace.safetensors"}
    assert artifacts_of(client, constant) == {"intervals.csv"}
    assert artifacts_of(client, parent, "reports/figures") == {"reports/figures/radar.svg"}


def test_rebuilding_twice_or_after_the_store_is_deleted_gives_the_same_view(results, empty_store, runs_in):
    tracking.rebuild()
    first = view(results, runs_in)
    (results / "reports" / "metrics.json").touch()
    tracking.rebuild()
    assert view(results, runs_in) == first
    client, runs = runs_in(results)
    assert len(client.get_metric_history(runs["laplace"].info.run_id, "camouflage.iou")) == 1
    again = shutil.copytree(results, results.parent / "another clone")
    shutil.copy(empty_store, again / "mlflow.db")
    tracking.rebuild(again)
    assert view(again, runs_in) == first


def test_another_state_of_the_lock_has_runs_of_its_own(results):
    tracking.rebuild()
    lock = results / "dvc.lock"
    lock.write_text(lock.read_text().replace("1111", "5555"))
    tracking.rebuild()
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{results}/mlflow.db")
    experiment = client.get_experiment_by_name("uncertsam")
    runs = client.search_runs([experiment.experiment_id], "tags.method = 'laplace'")
    assert len({run.data.tags["mlflow.parentRunId"] for run in runs}) == len(runs) == 2


def test_the_weights_of_a_family_go_to_its_members_only(results, runs_in, artifacts_of):
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
