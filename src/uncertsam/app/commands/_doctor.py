"""`uncertsam doctor`: environment, device, weights, data, fitted parts, disk and MLflow, each with its remedy."""

import importlib.metadata
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uncertsam.base.checkout import embedded
from uncertsam.base.errors import UserError
from uncertsam.config.params import FILE, Config

State = Literal["ok", "note", "broken"]
GIB = 2**30
LOW, TOO_LOW = 2 * GIB, GIB // 4  # bytes free: worth a note, and too little for anything


@dataclass(frozen=True)
class Diagnosis:
    """One thing: "ok"; "note", where something can be improved; "broken", where something needed does not work."""

    name: str
    state: State
    text: str
    mend: str = ""

    def line(self) -> str:
        """For people."""
        return f"{self.state:7}{self.name:12}{self.text}" + (f" {self.mend}" if self.mend else "")


Check = Callable[[Path], Iterator[Diagnosis]]


def examine(root: Path | None) -> list[Diagnosis]:
    """Every check, in order; `root` is the checkout, None: there is none, and the package is asked alone.

    A check that stumbles is a finding, not the end.
    """
    here = (python, packages, parameters, device, weights, data, fitted, disk, mlflow)
    found: list[Diagnosis] = []
    for check in here if root else (python, installed, carried, disk):
        try:
            found += check(root or Path.cwd())
        except UserError as error:
            found.append(Diagnosis(check.__name__, "broken", error.problem, error.mend))
    return found


def python(root: Path) -> Iterator[Diagnosis]:
    """At least 3.11."""
    told = "Python " + ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    yield Diagnosis("python", "ok" if fine else "broken", told, "" if fine else "3.11 or newer is needed.")


def packages(root: Path) -> Iterator[Diagnosis]:
    """What pyproject.toml needs is installed; what is installed is what the lock says."""
    needed, locked = _needed(root / "pyproject.toml"), _locked(root)
    there = {name: version for name in {*needed, *locked} if (version := _version(name))}
    for name in sorted(needed - there.keys()):
        yield Diagnosis("packages", "broken", f"{name} is not installed.", "make setup")
    differing = [f"{n} {v} (lock: {locked[n]})" for n, v in sorted(there.items()) if n in locked and v != locked[n]]
    if differing:
        shown = ", ".join(differing[:5]) + (", ..." if len(differing) > 5 else "")
        yield Diagnosis("packages", "note", f"other versions than tested: {shown}.", "make setup")
    elif needed <= there.keys():
        same = sum(name in locked for name in there)
        yield Diagnosis("packages", "ok", f"{len(needed)} needed are there, {same} as the lock says")


def installed(root: Path) -> Iterator[Diagnosis]:
    """What the installed package needs is there, in the versions that it asks for."""
    from packaging.requirements import Requirement

    asked = [Requirement(entry) for entry in importlib.metadata.requires("uncertsam") or ()]
    asked = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    there = {one.name: version for one in asked if (version := _version(one.name))}
    for one in asked:
        if one.name not in there:
            yield Diagnosis(
                "packages", "broken", f"{one.name} is not installed.", f"pip install '{one.name}{one.specifier}'"
            )
        elif not one.specifier.contains(there[one.name], prereleases=True):
            told = f"{one.name} {there[one.name]} is installed, tested is {one.specifier}."
            yield Diagnosis("packages", "note", told, f"pip install '{one.name}{one.specifier}'")
    if len(there) == len(asked):
        yield Diagnosis("packages", "ok", f"{len(asked)} needed are there")


def carried(root: Path) -> Iterator[Diagnosis]:
    """The models and posteriors of the package load. Without a checkout there is no pipeline, which is no fault."""
    from uncertsam.app.api.loading import load, part_of
    from uncertsam.methods.posterior.state import load as load_posterior

    yield Diagnosis("checkout", "note", f"{root} is no checkout of UncertSAM:", "the pipeline (dvc repro) needs one.")
    for name in embedded():
        model = load(name, "auto")
        yield Diagnosis("weights", "ok", f"{name}, SHA-256 {model.digest[:12]}, on {model.device}")
        part = part_of("laplace", model)
        load_posterior(part, model)
        yield Diagnosis("fitted", "ok", f"{part} fits {name}")


def parameters(root: Path) -> Iterator[Diagnosis]:
    """params.yaml can be read."""
    yield Diagnosis("parameters", "ok", f"profile {Config.read(root / FILE).base.profile}")


def device(root: Path) -> Iterator[Diagnosis]:
    """The device of params.yaml is here."""
    import torch

    from uncertsam.models.checkpoints import device_named

    chosen = device_named(Config.read(root / FILE).base.device)
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield Diagnosis(
        "device", "ok", f"{chosen}; GPUs: {', '.join(gpus) or 'none'}; CPU threads: {torch.get_num_threads()}"
    )


def weights(root: Path) -> Iterator[Diagnosis]:
    """The model of params.yaml loads, with the recorded hash."""
    import torch

    from uncertsam.models.checkpoints import load_model

    chosen = Config.read(root / FILE).model
    path = root / chosen.weights
    if not path.is_file():
        load = f"uncertsam download {chosen.name} --out {chosen.weights.parent}"
        mend = f"git checkout {chosen.weights}" if chosen.name in embedded() else load
        yield Diagnosis("weights", "broken", f"{chosen.weights} is missing.", mend)
        return
    digest = load_model(chosen.name, path, torch.device("cpu")).digest
    yield Diagnosis("weights", "ok", f"{chosen.name}, SHA-256 {digest[:12]}")


def data(root: Path) -> Iterator[Diagnosis]:
    """The datasets of params.yaml are prepared; a source on this machine is there."""
    config = Config.read(root / FILE)
    names = config.datasets
    ready = [name for name in names if any((root / "data" / "benchmark" / name).glob("*/annotations/dataset.json"))]
    if len(ready) < len(names):
        lacking = ", ".join(name for name in names if name not in ready)
        yield Diagnosis("data", "note", f"not prepared yet: {lacking}.", "dvc repro")
    else:
        yield Diagnosis("data", "ok", f"{len(names)} datasets are prepared")
    for name, entry in config.data.items():
        if entry.acquire == "local" and not (root / entry.source).exists():
            yield Diagnosis(
                "data", "note", f"the source of {name}, {entry.source}, is gone.", f"Correct data.{name}.source."
            )


def fitted(root: Path) -> Iterator[Diagnosis]:
    """What the methods of params.yaml read is fitted, on this very model, or comes with it."""
    import torch

    from uncertsam.app.api.loading import build, part_of
    from uncertsam.base.registry import load_method
    from uncertsam.models.checkpoints import load_model

    config = Config.read(root / FILE)
    chosen = config.model
    if not (root / chosen.weights).is_file():
        return
    model = load_model(chosen.name, root / chosen.weights, torch.device("cpu"))
    done: set[str | None] = {None}
    for name in config.methods:
        part = load_method(name).FITTED
        if part in done:
            continue
        done.add(part)
        try:
            build(name, model, None, (root / FILE, config.entries))
            yield Diagnosis("fitted", "ok", f"{_below(root, part_of(str(part), model))} fits the model")
        except UserError as error:
            yield Diagnosis("fitted", "note", error.problem, error.mend)


def disk(root: Path) -> Iterator[Diagnosis]:
    """Room for results."""
    free = shutil.disk_usage(root).free
    told = f"{free / GIB:.1f} GiB free"
    if free >= LOW:
        yield Diagnosis("disk", "ok", told)
    else:
        yield Diagnosis(
            "disk", "broken" if free < TOO_LOW else "note", f"{told}.", "Free some; dvc gc -w drops old results."
        )


def mlflow(root: Path) -> Iterator[Diagnosis]:
    """Where runs are recorded, and whether some wait to be sent. Nothing needs it."""
    from uncertsam.tracking import SPOOL, default_uri, read_params, read_settings, sqlite_file

    uri = default_uri(root)
    if not read_settings(read_params(root)).enabled:
        yield Diagnosis("mlflow", "note", "tracking is off.", "Set tracking.enabled: true, unset MLFLOW_DISABLED.")
    elif store := sqlite_file(uri):
        there = store.is_file()
        text = "a store in a file" if there else "no store yet."
        yield Diagnosis(
            "mlflow", "ok" if there else "note", text, "" if there else "dvc repro, or uncertsam track rebuild"
        )
    else:
        fault = _unreachable(uri)
        mend = "Start it; runs wait until then." if fault else ""
        yield Diagnosis("mlflow", "note" if fault else "ok", fault or "the server answers", mend)
    waiting = len(list((root / SPOOL).glob("*/run.json")))
    if waiting:
        yield Diagnosis("mlflow", "note", f"{waiting} runs wait to be sent.", "uncertsam track send")


def _unreachable(uri: str) -> str:
    """Why a server does not answer; empty where it does. Its address may hold a password, and is not told."""
    from urllib.error import URLError
    from urllib.request import urlopen

    if not uri.startswith(("http://", "https://")):
        return ""
    try:
        with urlopen(f"{uri.rstrip('/')}/health", timeout=3):
            return ""
    except (URLError, OSError, ValueError) as error:
        return f"the server does not answer ({getattr(error, 'reason', error)})."


def _below(root: Path, path: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


def _needed(pyproject: Path) -> set[str]:
    """The names of the packages that API and pipeline need. Raises UserError where the file is no project's."""
    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        listed = [*project["dependencies"], *project["optional-dependencies"]["pipeline"]]
    except (OSError, ValueError, LookupError) as error:
        raise UserError(f"{pyproject} cannot be read ({error}).", "Run in the repository, or restore it.") from None
    return {re.split(r"[^A-Za-z0-9._-]", entry, maxsplit=1)[0] for entry in listed}


def _locked(root: Path) -> dict[str, str]:
    """name: version, of everything that is pinned for this Python and system."""
    from packaging.requirements import Requirement

    found: dict[str, str] = {}
    for path in sorted((root / "requirements").glob("*.lock")):
        lines = re.findall(r"^[A-Za-z0-9].*==.*", path.read_text(encoding="utf-8"), re.MULTILINE)
        for pin in (Requirement(line.rstrip(" \\")) for line in lines):
            if pin.marker is None or pin.marker.evaluate():
                found[pin.name] = str(pin.specifier).removeprefix("==")
    return found


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
