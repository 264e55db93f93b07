"""The run of one stage: noted while the stage works, written into the spool when it ends."""

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, SupportsFloat

from uncertsam.config.sections import Tracking
from uncertsam.tracking import _record as spool
from uncertsam.tracking._place import (
    Place,
    dataset_digest,
    dvc_tags,
    git_tags,
    locate,
    profile_tags,
    read_params,
    read_settings,
)
from uncertsam.tracking._record import Group, Point, Record, Status
from uncertsam.tracking._send import send
from uncertsam.tracking.models import Part

BEFORE_THE_LOCK = {"acquire", "preprocess"}  # they make the dataset: what dvc.lock says of it is its last state

log = logging.getLogger("uncertsam.tracking")


@dataclass
class Run:
    """What one stage has to say about its run. Names of metrics are those of metrics.json: `<dataset>.<metric>`."""

    name: str
    params: Mapping[str, Any]
    method: str | None = None
    dataset: str | None = None
    points: list[Point] = field(default_factory=list)
    files: dict[str, Path | str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)

    def metrics(self, values: Mapping[str, Any]) -> None:
        """Note numbers, in nested mappings if you like; None stands for NaN. The run's dataset becomes the prefix."""
        for name, value in spool.flatten(values).items():
            self.metric_step(name, float("nan") if value is None else value, 0)

    def metric_step(self, name: str, value: SupportsFloat, step: int) -> None:
        """Note one point of a curve, such as a loss at a training step."""
        full = f"{self.dataset}.{name}" if self.dataset else name
        self.points.append((full, float(value), step, _now()))

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a copy of a report file, or of fitted weights, as it is when the stage ends. Not for caches.

        Raises FileNotFoundError where there is none.
        """
        if not Path(path).exists():
            raise FileNotFoundError(path)
        self.files[f"{folder}/{Path(path).name}" if folder else Path(path).name] = Path(path).absolute()

    def figure(self, path: Path) -> None:
        """Keep a copy of a picture, under `figures`."""
        self.artifact(path, folder="figures")

    def model(self, part: Part) -> None:
        """Keep a fitted or trained part as an MLflow model and register it, as it is when the stage ends.

        Raises FileNotFoundError where there is none.
        """
        if not (part.folder / part.file).is_file():
            raise FileNotFoundError(part.folder / part.file)
        self.parts.append(replace(part, folder=part.folder.absolute()))

    def input(self, dataset_name: str, digest: str) -> None:
        """Note that the run read this dataset, in the state that `digest` names (36 characters at most)."""
        self.inputs[dataset_name] = digest


@contextmanager
def stage(
    name: str,
    params: Mapping[str, Any],
    method: str | None = None,
    dataset: str | None = None,
    root: Path | None = None,
) -> Iterator[Run]:
    """Record the run of one stage, as FAILED or KILLED where it raises. Where tracking is off, nothing is written.

    `params` are the stage's resolved params (nested or with dotted keys). A run that took longer than
    `tracking.flush_after_seconds`, and the stage `report`, also sends what waits in the spool. Whatever fails in the
    bookkeeping is one line of warning: a stage whose work is done does not fail for it. A stage leaves `root` out: DVC
    may run it in a temporary copy. Raises UserError for bad settings, before the work begins.
    """
    place, run = locate(root), Run(name, params, method, dataset)
    every_param = read_params(place.workspace)
    settings = read_settings(every_param)
    if not settings.enabled:
        yield run
        return
    beginning = _begin(run, place, settings, every_param)
    try:
        yield run
    except BaseException as error:
        beginning.close(error)
        raise
    beginning.close(None)


def _pipeline(params: Mapping[str, Any], tags: Mapping[str, str]) -> Group:
    """The parent run of a pipeline invocation: the same experiment name, commit and params give the same parent."""
    kept = {name: value for name, value in params.items() if name not in ("tracking", "engine")}
    flat = spool.flatten_text(kept)
    name = tags.get("dvc.exp", "repro")
    identity = json.dumps([name, tags.get("git.sha"), flat], sort_keys=True)
    shared = {tag: tags[tag] for tag in tags if tag != "dvc.stage" and tag.split(".")[0] in {"git", "dvc", "profile"}}
    return Group(f"pipeline-{hashlib.sha256(identity.encode()).hexdigest()[:16]}", name, flat, shared)


@dataclass(frozen=True)
class _Beginning:
    """What is known of a run before its stage works; the code may be edited while it does."""

    run: Run
    place: Place
    settings: Tracking
    started: int
    tags: dict[str, str]
    group: Group

    def close(self, error: BaseException | None) -> None:
        try:
            record = self.record(error, _now())
            spool.write(self.place.home, record, self.run.files, self.run.parts)
            long = record.ended - record.started > 1000 * self.settings.flush_after_seconds
            # whoever stops a stage by hand is not kept waiting for a server
            if record.status != "KILLED" and (long or self.run.name == "report"):
                _flush(self.place.home)
        except Exception as problem:  # of any kind: disk, permissions, third parties
            log.warning("the run of stage %s was not recorded: %r", self.run.name, problem)

    def record(self, error: BaseException | None, ended: int) -> Record:
        run, inputs, status = self.run, self.inputs(), _status(error)
        outcome = {"duration_seconds": f"{(ended - self.started) / 1000:.3f}"}
        if status != "FINISHED":
            outcome["error"] = f"{type(error).__name__}: {error}"[:500]
        return Record(
            id=f"{self.started:013d}-{uuid.uuid4().hex[:12]}",
            name="/".join(part for part in (run.name, run.method, run.dataset) if part),
            experiment=self.settings.experiment,
            started=self.started,
            ended=ended,
            status=status,
            params=spool.flatten_text(run.params),
            metrics=run.points,
            tags=self.tags | outcome | {f"data.{name}": digest for name, digest in inputs.items()},
            inputs=inputs,
            parent=self.group,
        )

    def inputs(self) -> dict[str, str]:
        dataset = self.run.dataset
        if dataset is None or dataset in self.run.inputs or self.run.name in BEFORE_THE_LOCK:
            return self.run.inputs
        digest = dataset_digest(self.place.workspace, dataset)
        return self.run.inputs | ({dataset: digest} if digest else {})


def _begin(run: Run, place: Place, settings: Tracking, params: Mapping[str, Any]) -> _Beginning:
    about = {"stage": run.name, "method": run.method, "dataset": run.dataset}
    known = {tag: value for tag, value in about.items() if value}
    source = {"mlflow.source.name": f"stages/{run.name}.py", "mlflow.source.type": "LOCAL"}
    tags = known | source | git_tags(place.workspace) | dvc_tags() | profile_tags(params)
    return _Beginning(run, place, settings, _now(), tags, _pipeline(params, tags))


def _status(error: BaseException | None) -> Status:
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "FINISHED"
    return "FAILED" if isinstance(error, Exception | SystemExit) else "KILLED"


def _flush(home: Path) -> None:
    sent = send(home, wait_seconds=5.0)
    if sent.kept:
        log.warning("runs kept in %s for `uncertsam track send`: %d (%s)", spool.SPOOL, sent.kept, sent.problem)


def _now() -> int:
    return time.time_ns() // 1_000_000
