"""`params.yaml`, read strictly: an unknown key or a wrong type is an error that names it."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from uncertsam.base.errors import UserError, suggestion
from uncertsam.base.registry import method_names
from uncertsam.config.arms import ARMS
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
    Model,
    Predict,
    Pretrain,
    Refine,
    SplitContract,
    Subset,
    Tabulate,
    Time,
    Tracking,
    TrainingLeg,
    check_dataset_names,
)
from uncertsam.config.training import TrainFusion, TrainVariance

FILE = Path("params.yaml")


__all__ = [
    "Ablate",
    "Base",
    "Compare",
    "Dataset",
    "Encode",
    "Engine",
    "Fit",
    "Model",
    "Params",
    "Predict",
    "Pretrain",
    "Refine",
    "SplitContract",
    "Subset",
    "Tabulate",
    "Time",
    "Tracking",
    "TrainingLeg",
    "check",
]

S = TypeVar("S", bound=BaseModel)
SECTIONS: dict[str, type[BaseModel]] = {
    "base": Base, "model": Model, "split": SplitContract, "encode": Encode, "fit": Fit, "predict": Predict,
    "tabulate": Tabulate, "ablate": Ablate, "compare": Compare, "time": Time, "tracking": Tracking,
    "pretrain": Pretrain, "train_variance": TrainVariance, "train_fusion": TrainFusion, "refine": Refine,
    "guarantees": Guarantees, "clicking": Clicking, "engine": Engine,
}  # fmt: skip
LISTS = {"datasets", "methods"}
NAMED: dict[str, type[BaseModel]] = {"data": Dataset, "subset": Subset}  # by the names that they give


class Params:
    """The whole file. What is there is checked at once, but for the methods' own sections: their models import torch.

    Raises UserError naming the first key that is wrong: unknown, of a wrong type or value, or naming what is not there.
    """

    def __init__(self, values: dict[str, Any], path: Path = FILE) -> None:
        self.values, self.path = values, path
        clash = sorted({*SECTIONS, *LISTS, *NAMED}.intersection(method_names()))
        if clash:
            raise UserError(f"{path}: {clash[0]} is a section and a method.", "Rename the method's file.")
        self._check_names("unknown section", values, {*SECTIONS, *LISTS, *NAMED, *method_names()})
        for key, model in SECTIONS.items():
            if key in values:
                self.section(key, model)
        for key, model in NAMED.items():
            for name in self._keys(key):
                check(path, f"{key}.{name}", values[key][name], model)
        there = [*self._keys("data"), *self._keys("subset")]
        check_dataset_names(there, f"{path}: data and subset", "Give it another name, everywhere in the file.")
        for key, known in (("datasets", there), ("methods", method_names())):
            if key in values:
                self._check_names(f"{key}: there is no", self.names(key), known)
        if "compare" in values:
            self._check_names(
                "compare.references: there is no", self.section("compare", Compare).references, method_names()
            )
        for key, model in (("guarantees", Guarantees), ("clicking", Clicking)):
            if key in values:
                chosen: Any = self.section(key, model)
                self._check_names(f"{key}.methods: there is no", chosen.methods, method_names())
                self._check_names(f"{key}.datasets: there is no", chosen.datasets or [], there)
        if "data" in values:
            self._check_sources(there)

    def _check_sources(self, there: Collection[str]) -> None:
        """Whatever is fitted, trained or controlled names datasets that are there."""
        for key in ("fit", "combined_fitted", "train_variance", "train_fusion"):
            section = self.values.get(key)
            if isinstance(section, dict) and "dataset" in section:
                self._check_names(f"{key}.dataset: there is no", [section["dataset"]], there)
        if "train_fusion" in self.values:
            fusion = self.section("train_fusion", TrainFusion)
            self._check_names("train_fusion.domains: there is no", fusion.domains or [], there)
            self._check_names("train_fusion: there is no arm", fusion.every_arm, ARMS)
        if "ablate" in self.values:
            ablate = self.section("ablate", Ablate)
            self._check_names("ablate.datasets: there is no", ablate.datasets or [], there)
            self._check_names("ablate.calibrate: there is no", [ablate.calibrate], there)

    @classmethod
    def read(cls, path: Path = FILE) -> "Params":
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            mend = "Change to a checkout's root; there `uncertsam use demo` writes it anew."
            raise UserError(f"{path} is missing.", mend if path.name == FILE.name else "Check the path.") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is not YAML ({' '.join(str(error).split())}).", "Correct what it names.") from None
        if not isinstance(values, dict):
            raise UserError(f"{path} holds no sections.", "Restore it, for instance with `uncertsam use demo`.")
        return cls(values, path)

    def fitted_on(self, benchmark: Path) -> list[Path]:
        """The splits that posterior, variance network and combination are fitted on, under `benchmark`."""
        sources = {"fit": "fit", "train_variance": "fit", "combined_fitted": "calibrate"}
        named = [(self.values[key]["dataset"], split) for key, split in sources.items() if key in self.values]
        return [folder for name, split in dict.fromkeys(named) if (folder := benchmark / name / split).is_dir()]

    def section(self, key: str, model: type[S]) -> S:
        """One section (dots descend: `data.shadow`), checked. Raises UserError naming the key that is wrong."""
        value: Any = self.values
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                raise UserError(f"{self.path}: section {key!r} is missing.", "Add it, or run `uncertsam use PROFILE`.")
            value = value[part]
        return check(self.path, key, value, model)

    def names(self, key: str) -> list[str]:
        """A list of names, `datasets` or `methods`."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise UserError(f"{self.path}: {key} is not a list of names.", f"Write {key}: [NAME, ...].")
        return value

    def _keys(self, key: str) -> list[Any]:
        """The names in a section of named entries, such as `data`."""
        value = self.values.get(key) or {}
        if not isinstance(value, dict):
            raise UserError(f"{self.path}: {key} holds no names.", f"Write {key}: {{NAME: ...}}.")
        return list(value)

    def _check_names(self, problem: str, names: Iterable[Any], known: Collection[str]) -> None:
        for name in names:
            if name not in known:
                raise UserError(f"{self.path}: {problem} {name!r}.", suggestion(str(name), known))


def check(path: Path, key: str, value: Any, model: type[S]) -> S:
    """`value` (None: nothing is set) as the section `key` of the file `path`. Raises UserError naming a wrong key."""
    try:
        return model.model_validate({} if value is None else value)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join([key, *map(str, first["loc"])])
        known = _fields(model, first["loc"])
        mend = suggestion(str(first["loc"][-1]), known) if first["type"] == "extra_forbidden" else "Correct the value."
        raise UserError(f"{path}: {name}: {first['msg'][0].lower()}{first['msg'][1:]}.", mend) from None


def _fields(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The keys that are known where `place` (of an error) is, in a model within the model."""
    for part in place[:-1]:
        field = model.model_fields.get(str(part))
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
    return list(model.model_fields)
