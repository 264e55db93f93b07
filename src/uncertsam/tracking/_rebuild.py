"""The whole MLflow view again, from what DVC keeps: `reports/` and `dvc.lock`."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncertsam.base.errors import UserError
from uncertsam.tracking._place import git_tags, locate, profile_tags, read_params, read_settings, read_yaml
from uncertsam.tracking._record import Group, Point, Record, flatten, flatten_text, write
from uncertsam.tracking._send import Sent, send

AGAIN = "Restore it with `dvc repro --force tabulate`."
FITTED_BY = ("fit_", "train_")  # fit_laplace makes the weights of laplace and of laplace_closed

Scores = dict[str, dict[str, dict[str, float | int | None]]]  # dataset -> method -> metric -> mean, None for NaN


@dataclass(frozen=True)
class _Evidence:
    """What the reports and the lock say; `key` is their hash, `time` that of metrics.json in ms since 1970."""

    root: Path
    key: str
    time: int
    scores: Scores
    stages: dict[str, dict[str, Any]]
    intervals: list[dict[str, str]]


def rebuild(root: Path | None = None) -> Sent:
    """One run per method with metrics `<dataset>.<metric>` as in metrics.json, under one for this state of dvc.lock.

    The same lock and metrics give the same runs, however often this is called; an earlier state keeps its own. The run
    of a method holds its params, dataset digests, intervals and fitted weights (as far as they are in the workspace),
    the parent the whole of `reports/`. Raises UserError where reports/metrics.json is missing or broken.
    """
    place = locate(root)
    evidence = _read(place.workspace)
    params = read_params(place.workspace)
    experiment = read_settings(params).experiment
    group = _group(evidence, git_tags(place.workspace) | profile_tags(params))
    time = evidence.time
    parent = Record(group.key, group.name, experiment, time, time, params=group.params, tags=group.tags)
    write(place.home, parent, {"reports": place.workspace / "reports"})
    for method in sorted({method for methods in evidence.scores.values() for method in methods}):
        write(place.home, _record(evidence, method, group, experiment), dict(_files(evidence, method)))
    return send(place.home)


def _read(root: Path) -> _Evidence:
    path, lock = root / "reports" / "metrics.json", root / "dvc.lock"
    if not path.is_file():
        raise UserError(f"{path} is missing.", "Run `dvc repro`, or `dvc pull` where someone else has run it.")
    content = path.read_bytes()
    try:
        scores = {dataset: dict(methods) for dataset, methods in dict(json.loads(content)).items()}
    except (TypeError, ValueError) as error:
        raise UserError(f"{path} is not JSON of nested metrics: {error}.", AGAIN) from error
    key = hashlib.sha256((lock.read_bytes() if lock.is_file() else b"") + content).hexdigest()[:16]
    stages = read_yaml(lock).get("stages") or {}
    return _Evidence(root, f"lock-{key}", path.stat().st_mtime_ns // 1_000_000, scores, stages, _intervals(root))


def _intervals(root: Path) -> list[dict[str, str]]:
    path = root / "reports" / "intervals.csv"
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a table: {error}.", AGAIN) from error


def _group(evidence: _Evidence, tags: dict[str, str]) -> Group:
    params: dict[str, str] = {}
    for stage in evidence.stages.values():
        params |= _locked_params(stage)
    name = f"results {evidence.key.removeprefix('lock-')[:7]}"
    return Group(evidence.key, name, params, {"stage": "results", "dvc.lock": evidence.key} | tags)


def _record(evidence: _Evidence, method: str, group: Group, experiment: str) -> Record:
    scores = {dataset: methods[method] for dataset, methods in evidence.scores.items() if method in methods}
    inputs = {dataset: digest for dataset in scores if (digest := _digest(evidence, dataset))}
    params: dict[str, str] = {}
    for name, stage in _stages_of(evidence, method).items():
        params |= _of_method(_locked_params(stage), method) if _answers(name) else _locked_params(stage)
    tags = group.tags | {"method": method} | {f"data.{dataset}": digest for dataset, digest in inputs.items()}
    return Record(
        id=f"{evidence.key}-{method}",
        name=method,
        experiment=experiment,
        started=evidence.time,
        ended=evidence.time,
        params=params,
        metrics=[_point(name, value, evidence.time) for name, value in flatten(scores).items()],
        tags=tags | _synthetic(evidence, scores),
        inputs=inputs,
        parent=group,
    )


def _point(name: str, value: float | int | None, time: int) -> Point:
    return name, float("nan") if value is None else float(value), 0, time


def _synthetic(evidence: _Evidence, datasets: Iterable[str]) -> dict[str, str]:
    """Which of the datasets are not real photos: no run may be read without it."""
    made = {row["dataset"] for row in evidence.intervals if row.get("synthetic", "").lower() in {"true", "1"}}
    synthetic = sorted(made.intersection(datasets))
    return {"synthetic": ", ".join(synthetic)} if synthetic else {}


def _stages_of(evidence: _Evidence, method: str) -> dict[str, dict[str, Any]]:
    """The locked stages that made a method: its answers (predict@camouflage) and its fit (fit_laplace)."""
    return {name: stage for name, stage in evidence.stages.items() if _answers(name) or _is_fit(name, method)}


def _answers(stage: str) -> bool:
    return stage.startswith("predict@")


def _is_fit(stage: str, method: str) -> bool:
    """A fit serves every method that its name begins: fit_laplace serves laplace_closed."""
    name = stage.partition("@")[0]
    family = next((name.removeprefix(verb) for verb in FITTED_BY if name.startswith(verb)), None)
    return family is not None and f"{method}_".startswith(f"{family}_")


def _of_method(params: dict[str, str], method: str) -> dict[str, str]:
    """Of the parameters of all methods, those of one, and what they share."""
    shared = ("base.", "predict.", f"methods.{method}.")
    return {name: value for name, value in params.items() if name.startswith(shared)}


def _locked_params(stage: Mapping[str, Any]) -> dict[str, str]:
    files = (stage.get("params") or {}).values()
    return {name: value for values in files for name, value in flatten_text(values or {}).items()}


def _digest(evidence: _Evidence, dataset: str) -> str | None:
    outs = evidence.stages.get(f"preprocess@{dataset}", {}).get("outs") or [{}]
    digest: str | None = outs[0].get("md5")
    return digest


def _files(evidence: _Evidence, method: str) -> Iterator[tuple[str, Path | str]]:
    rows = [row for row in evidence.intervals if row.get("method") == method]
    if rows:
        yield "intervals.csv", _csv(rows)
    for name, stage in _stages_of(evidence, method).items():
        if name.startswith(FITTED_BY):
            paths = (evidence.root / out["path"] for out in stage.get("outs") or [])
            yield from ((f"fitted/{path.name}", path) for path in paths if path.exists())


def _csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
