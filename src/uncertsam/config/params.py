"""`params.yaml`, read once and strictly: an unknown key or a wrong type is an error that names it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from uncertsam.base.errors import UserError, suggestion
from uncertsam.base.registry import load_method, method_names
from uncertsam.config.arms import ARMS, refined_methods
from uncertsam.config.clicking import Clicking
from uncertsam.config.guarantees import Guarantees
from uncertsam.config.sections import (
    Ablate,
    Base,
    Compare,
    Dataset,
    Encode,
    Engine,
    Fit,
    FitCombination,
    Model,
    Predict,
    Pretrain,
    Refine,
    SplitContract,
    Subset,
    Tabulate,
    Time,
    Tracking,
    check_dataset_names,
)
from uncertsam.config.training import FitLaplace, TrainFusion, TrainVariance
from uncertsam.config.usam import ExtractTokens, TrainUsam

FILE = Path("params.yaml")
S = TypeVar("S", bound=BaseModel)
Names = Annotated[list[str], Field(min_length=1)]


@dataclass(frozen=True)
class Methods(Mapping[str, Any]):
    """The parameters of each method, as its module's `Params`, in the order of the report.

    They are checked when they are asked for, since the modules import torch. Raises UserError naming a wrong key.
    """

    path: Path
    entries: Mapping[str, Mapping[str, Any]]

    def __getitem__(self, name: str) -> Any:
        return check(self.path, f"methods.{name}", self.entries[name], load_method(name).Params)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


class Config(BaseModel, extra="forbid"):
    """The whole file, a field per section.

    weights: the section `models`, the file of weights of each model. entries: the section `methods`, see `methods`.
    """

    base: Base
    weights: dict[str, Path] = Field(alias="models", min_length=1)
    datasets: Names
    data: dict[str, Dataset]
    split: SplitContract
    subset: dict[str, Subset] = {}
    encode: Encode
    fit: Fit
    predict: Predict
    entries: dict[str, dict[str, Any]] = Field(alias="methods", min_length=1)
    fit_laplace: FitLaplace
    fit_combination: FitCombination
    train_variance: TrainVariance
    train_fusion: TrainFusion
    extract_tokens: ExtractTokens
    train_usam: TrainUsam
    refine: Refine
    tabulate: Tabulate
    ablate: Ablate
    compare: Compare
    guarantees: Guarantees
    clicking: Clicking
    time: Time
    pretrain: Pretrain
    engine: Engine = Engine()
    tracking: Tracking = Tracking()

    _path: Path = PrivateAttr(FILE)
    _values: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def read(cls, path: Path = FILE) -> "Config":
        """Raises UserError where the file is missing or no YAML, and as `of`."""
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            mend = "Change to a checkout's root; there `uncertsam use demo` writes it anew."
            raise UserError(f"{path} is missing.", mend if path.name == FILE.name else "Check the path.") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is not YAML ({' '.join(str(error).split())}).", "Correct what it names.") from None
        if not isinstance(values, dict):
            raise UserError(f"{path} holds no sections.", "Restore it, for instance with `uncertsam use demo`.")
        return cls.of(values, path)

    @classmethod
    def of(cls, values: Mapping[str, Any], path: Path = FILE) -> "Config":
        """The sections `values` of a file. Raises UserError naming the first key that is wrong.

        Wrong is what is unknown, of a wrong type or value, and a name of what is not there.
        """
        named = [name for key in ("data", "subset") if isinstance(values.get(key), dict) for name in values[key]]
        check_dataset_names(named, f"{path}: data and subset", "Give it another name, everywhere in the file.")
        config = check(path, "", {key: {} if value is None else value for key, value in values.items()}, cls)
        config._path, config._values = path, dict(values)
        for key, names, known in config._references():
            for name in names:
                if name not in known:
                    raise UserError(f"{path}: {key}: there is no {name!r}.", suggestion(str(name), known))
        return config

    def _references(self) -> Iterator[tuple[str, Sequence[str], Collection[str]]]:
        """Which key names what: key, its names, and those that it may name."""
        there, methods = [*self.data, *self.subset], method_names()
        yield "base.model", [self.base.model], self.weights
        yield "datasets", self.datasets, there
        for key, names in {
            "methods": list(self.entries),
            "compare.references": self.compare.references,
            "guarantees.methods": self.guarantees.methods,
            "clicking.methods": self.clicking.methods,
        }.items():
            yield key, names, methods
        for part in ("fit", "fit_combination", "train_variance", "train_fusion"):
            yield f"{part}.dataset", [getattr(self, part).dataset], there
        for part in ("ablate", "guarantees", "clicking"):
            yield f"{part}.datasets", getattr(self, part).datasets or [], there
        yield "train_usam.datasets", self.train_usam.datasets, there
        yield "ablate.calibrate", [self.ablate.calibrate], there
        yield "train_fusion.domains", self.train_fusion.domains or [], there
        yield "train_fusion.arms", self.train_fusion.arms, ARMS

    @property
    def values(self) -> dict[str, Any]:
        """The file as it stands there."""
        return self._values

    @property
    def methods(self) -> Methods:
        """What is compared, with its parameters."""
        return Methods(self._path, self.entries)

    @property
    def models(self) -> dict[str, Model]:
        """The models there are, by name."""
        return {name: Model(name=name, weights=path) for name, path in self.weights.items()}

    @property
    def model(self) -> Model:
        """The one that experiments and the report read: `base.model`."""
        return self.models[self.base.model]

    def model_named(self, name: str) -> Model:
        """Raises UserError where `models` has no such name."""
        if name not in self.weights:
            raise UserError(f"{self._path}: models: there is no {name!r}.", suggestion(name, self.weights))
        return self.models[name]

    def combination(self, model: type[S]) -> S:
        """The section `fit_combination` as its own model, which imports torch."""
        return check(self._path, "fit_combination", self.fit_combination.model_dump(), model)

    @property
    def refined(self) -> list[str]:
        """The methods whose masks are refined ones, and their bound."""
        return refined_methods(self.train_fusion.arms, self.refine.steps)

    def fitted_on(self, benchmark: Path) -> list[Path]:
        """The splits that posterior, variance network and combination are fitted on, under `benchmark`."""
        named = [
            (self.fit.dataset, "fit"),
            (self.train_variance.dataset, "fit"),
            (self.fit_combination.dataset, "calibrate"),
        ]
        return [folder for name, split in dict.fromkeys(named) if (folder := benchmark / name / split).is_dir()]


def check(path: Path, key: str, value: Any, model: type[S]) -> S:
    """`value` (None: nothing is set) as the section `key` of the file `path`. Raises UserError naming a wrong key.

    key: "" for the whole file.
    """
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as error:
        first = min(error.errors(), key=lambda one: one["type"] == "missing")  # a misspelt key is one of each
        place, kind = first["loc"], first["type"]
        name = ".".join(filter(None, [key, *map(str, place)]))
        if not key and len(place) == 1 and kind in ("missing", "extra_forbidden"):
            problem, mend = _section_problem(name, kind, model)
        else:
            problem, mend = f"{name}: {first['msg'][0].lower()}{first['msg'][1:]}.", "Correct the value."
        if kind == "list_type":
            mend = f"Write {place[-1]}: [NAME, ...]."
        elif kind == "extra_forbidden":
            mend = suggestion(str(place[-1]), _fields(model, place))
        raise UserError(f"{path}: {problem}", mend) from None


def _section_problem(name: str, kind: str, model: type[BaseModel]) -> tuple[str, str]:
    if kind == "missing":
        return f"section {name!r} is missing.", "Add it, or run `uncertsam use PROFILE`."
    return f"unknown section {name!r}.", ""


def _fields(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The keys that are known where `place` (of an error) is: in a model, or in an entry of a list or mapping."""
    kind: Any = model
    for part in place[:-1]:
        fields = _by_key(kind)
        kind = fields[str(part)].annotation if fields else get_args(kind)[-1]
    return list(_by_key(kind))


def _by_key(kind: Any) -> dict[str, Any]:
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in kind.model_fields.items()}
