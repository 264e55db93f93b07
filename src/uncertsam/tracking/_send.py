"""From the spool to MLflow. Only here is MLflow imported (2 s, and 10 s more for the first SQLite file)."""

import hashlib
import json
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from uncertsam.tracking._place import default_uri, locate, sqlite_file
from uncertsam.tracking._record import MODELS, SPOOL, Group, Record, forget, read, waiting
from uncertsam.tracking.models import pack

RECORD_TAG = "uncertsam.record"
ASK_SECONDS = 5  # to find out whether a server is there; sending may take MLflow's own time, artifact stores are slow


@dataclass(frozen=True)
class Sent:
    """How many records were sent, how many wait, and why (one line, "" where none waits)."""

    sent: int
    kept: int
    problem: str = ""


def send(root: Path | None = None, wait_seconds: float = 60.0) -> Sent:
    """Send every record that waits in the spool to MLflow; what cannot be sent stays there.

    Sending again what was sent makes no second run, whenever the last attempt was interrupted. One process sends at a
    time; another waits up to `wait_seconds` for its turn. Only Ctrl-C and the like are raised.
    """
    home = locate(root).home
    if not waiting(home):
        return Sent(0, 0)
    from filelock import FileLock, Timeout

    try:
        with FileLock(home / SPOOL / "lock", timeout=wait_seconds):
            return _send_all(home)
    except Timeout:
        return Sent(0, len(waiting(home)), "another process is sending")


def clean(name: str) -> str:
    """`name` as MLflow accepts it for metrics, params and tags: letters, digits, `_-. /`, 250 characters.

    A name that has to be changed gets a digest of itself, so that two never become one.
    """
    legal = re.sub(r"[^\w.\- /]", "_", name)
    if legal != posixpath.normpath(legal) or legal == "." or legal.startswith(("/", "..")):
        legal = "_" + legal.replace("/", "_")
    if legal == name and len(name) <= 250:
        return name
    return f"{legal[:240]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _send_all(home: Path) -> Sent:
    sent, problem = 0, ""
    with _quiet_mlflow():
        try:
            store = _Store.open(home)
        except Exception as error:
            return Sent(0, len(waiting(home)), _one_line(error))
        for folder in waiting(home):
            try:
                store.deliver(folder)
                sent += 1
            except Exception as error:  # a record that is refused must not hold up the others
                problem = _one_line(error)
                if not store.answers():
                    break
    return Sent(sent, len(waiting(home)), problem)


@dataclass
class _Store:
    """An MLflow client, and the ids that it has already been asked for."""

    client: Any
    artifacts: str | None
    experiments: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def open(home: Path) -> "_Store":
        """Connect, at once or not at all. Raises what MLflow raises."""
        from mlflow import MlflowClient

        uri = default_uri(home)
        local = (home / "mlartifacts").as_uri() if sqlite_file(uri) else None
        store = _Store(MlflowClient(uri, registry_uri=uri), local)
        store.ask()
        return store

    def ask(self) -> None:
        with _environment(MLFLOW_HTTP_REQUEST_TIMEOUT=ASK_SECONDS):
            self.client.search_experiments(max_results=1)

    def answers(self) -> bool:
        try:
            self.ask()
        except Exception:
            return False
        return True

    def deliver(self, folder: Path) -> None:
        """Make the record's run, or finish what an earlier attempt left, then forget the record."""
        record = read(folder)
        experiment = self.experiment(record.experiment)
        parent = self.parent(experiment, record.parent, record.started) if record.parent else None
        run = self.run(experiment, record.id, record.name, record.started, parent)
        if run.info.status == "RUNNING":
            self.write(run.info.run_id, record)
        if (folder / "artifacts").is_dir():
            self.client.log_artifacts(run.info.run_id, str(folder / "artifacts"))
        for kept in sorted((folder / MODELS).glob("*")):
            self.model(run.info.run_id, record, kept)
        # last, because a run that has ended is a run that is complete
        self.client.set_terminated(run.info.run_id, record.status, record.ended)
        if parent:
            self.client.set_terminated(parent, record.status, record.ended)
        forget(folder)

    def model(self, run_id: str, record: Record, kept: Path) -> None:
        """Log one part as a model of the run, and as a version of the registered model of its stage and name."""
        with TemporaryDirectory() as scratch:
            packed = Path(scratch) / kept.name
            pack(kept, packed)
            self.client.log_artifacts(run_id, str(packed), f"{MODELS}/{kept.name}")
        stage = record.name.partition("/")[0]
        name = clean(f"uncertsam.{stage}.{kept.name}").replace("/", "_")
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        if not self.client.search_model_versions(f"name = '{name}' and run_id = '{run_id}'"):
            source = f"{self.client.get_run(run_id).info.artifact_uri}/{MODELS}/{quote(kept.name)}"
            self.client.create_model_version(name, source, run_id)

    def experiment(self, name: str) -> str:
        """The id of the experiment, made if need be."""
        if name not in self.experiments:
            found = self.client.get_experiment_by_name(name)
            made = found.experiment_id if found else self.client.create_experiment(name, self.artifacts)
            self.experiments[name] = made
        return self.experiments[name]

    def parent(self, experiment: str, group: Group, started: int) -> str:
        """The id of a parent run, made if need be; its params and tags are written once per sending."""
        if group.key not in self.parents:
            run = self.run(experiment, group.key, group.name, started, None)
            self.client.log_batch(run.info.run_id, params=_params(group.params), tags=_tags(group.tags))
            self.parents[group.key] = run.info.run_id
        return self.parents[group.key]

    def run(self, experiment: str, key: str, name: str, started: int, parent: str | None) -> Any:
        """The run that carries `key`. Made together with its key, so that no interruption can make two."""
        found = self.client.search_runs([experiment], f"tags.`{RECORD_TAG}` = '{key}'", max_results=1)
        if found:
            return found[0]
        tags = {RECORD_TAG: key} | ({"mlflow.parentRunId": parent} if parent else {})
        return self.client.create_run(experiment, start_time=started, tags=tags, run_name=name)

    def write(self, run_id: str, record: Record) -> None:
        """Params, metrics, tags and inputs. Written twice they are the same: each point has a time of its own."""
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

        points = [Metric(clean(name), value, time, step) for name, value, step, time in record.metrics]
        self.client.log_batch(run_id, points, _params(record.params), _tags(record.tags))
        role = [InputTag("mlflow.data.context", "pipeline")]
        source = {name: json.dumps({"tags": {"dvc.md5": digest}}) for name, digest in record.inputs.items()}
        sets = [Dataset(name, digest, "code", source[name]) for name, digest in record.inputs.items()]
        if sets:
            self.client.log_inputs(run_id, [DatasetInput(dataset, role) for dataset in sets])


def _params(params: dict[str, str]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(clean(name), value) for name, value in params.items()]


def _tags(tags: dict[str, str]) -> list[Any]:
    from mlflow.entities import RunTag

    return [RunTag(clean(name), value) for name, value in tags.items()]


def _one_line(error: Exception) -> str:
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return first.partition(" with exception ")[0][:200]  # after it requests tells what it tried, at length


@contextmanager
def _quiet_mlflow() -> Iterator[None]:
    """MLflow without telemetry, minutes of retries (a record that fails is sent later) and lines of good news."""
    with _environment(
        MLFLOW_DISABLE_TELEMETRY="true",
        DO_NOT_TRACK="true",
        MLFLOW_LOGGING_LEVEL="WARNING",
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES=0,
    ):
        yield


@contextmanager
def _environment(**values: str | int) -> Iterator[None]:
    """Set environment variables for a while, except those that the user has set."""
    absent = [name for name in values if name not in os.environ]
    os.environ.update({name: str(values[name]) for name in absent})
    try:
        yield
    finally:
        for name in absent:
            os.environ.pop(name, None)
