"""An MLflow store without runs, and what is in a store."""

import pytest


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
