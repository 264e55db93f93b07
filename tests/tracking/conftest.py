"""A repository with an MLflow store without runs, what is in a store, and a run to record."""

import os
import shutil
import subprocess

import pytest

from uncertsam import tracking

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
  fit_laplace@sam2_nano:
    cmd: python stages/fit_laplace.py
    params:
      params.yaml:
        base.seed: 0
        fit_laplace:
          likelihood: softmax_pixels
    outs:
    - path: data/fitted/sam2_nano/laplace
      md5: 33333333333333333333333333333333.dir
  predict@sam2_nano-camouflage:
    cmd: python stages/predict.py
    params:
      params.yaml:
        base.seed: 0
        methods:
          constant:
            value: 0.5
    outs:
    - path: data/predictions/sam2_nano/camouflage
      md5: 44444444444444444444444444444444.dir
"""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A repository of one commit with parameters and a lock; the current folder."""
    for name in [name for name in os.environ if name.startswith(("DVC_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    root = tmp_path / "a home"
    root.mkdir()
    (root / "params.yaml").write_text("base: {seed: 0, profile: demo}\n")
    (root / "dvc.lock").write_text(LOCK)
    commit = "git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm first"
    subprocess.run(commit, shell=True, cwd=root, check=True)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def home(bare, empty_store):
    """The same with a store."""
    shutil.copy(empty_store, bare / "mlflow.db")
    return bare


@pytest.fixture(scope="session")
def record_one():
    """Record one run of a stage."""

    def record(name="predict", params=None):
        with tracking.stage(name, params or {}) as run:
            run.metrics({"iou": 0.5})

    return record


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """Its tables take seconds to make: once, copied by every test."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("store") / "empty-mlflow.db"
    MlflowClient(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def runs_in():
    """All runs of a folder's store, by name. A name that two runs share fails here."""

    def found(home):
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{home}/mlflow.db")
        runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
        named = {run.info.run_name: run for run in runs}
        assert len(named) == len(runs)
        return client, named

    return found


@pytest.fixture(scope="session")
def artifacts_of():
    return lambda client, run, folder="": {item.path for item in client.list_artifacts(run.info.run_id, folder)}
