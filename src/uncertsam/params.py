"""`params.yaml`, read strictly: an unknown key or a wrong type is an error that names it."""

import difflib
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from uncertsam.errors import UserError
from uncertsam.uncertainty import method_names

FILE = Path("params.yaml")


class Section(BaseModel):
    """A section whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Base(Section):
    """What every stage shares. `threads`: CPU threads per process, null for the machine's choice."""

    profile: str
    seed: int
    device: str = "cpu"
    threads: int | None = None


class Model(Section):
    """Which network, and which file holds its weights."""

    name: str
    weights: Path


class SplitContract(Section):
    """`salt` makes the assignment by hash; images within `near` bits of perceptual hash stay together."""

    salt: str
    near: int


class Dataset(Section):
    """One dataset: where it comes from, who reads it, how it is split.

    source: what DVC watches: the raw folder (acquire: local), the generator's file (acquire: generate), or the table of
    sources (acquire: download, whose entry `options.name` names).
    options: the generator's or the download's; adapter_options: the adapter's. Both are there even if empty: DVC asks
    for them.
    """

    acquire: Literal["generate", "local", "download"]
    source: Path
    options: dict[str, Any]
    adapter: str
    adapter_options: dict[str, Any]
    split: dict[str, float]


class Encode(Section):
    """`dtype` of the encoder and of the store; `stream` skips the store and encodes on demand."""

    dtype: Literal["float32", "bfloat16"]
    batch: int
    stream: bool


class Subset(Section):
    """A seeded sample of `dataset`: {split: number of images}, and at most `masks` of each image, null for all."""

    dataset: str
    images: dict[str, int]
    masks: int | None
    seed: int


class Fit(Section):
    """The one dataset whose `fit` split everything is fitted on (the paper: a part of SA-1B)."""

    dataset: str


class Predict(Section):
    """Which split is predicted and reported: never one that anything was fitted on."""

    split: Literal["calibrate", "test"]


class Tabulate(Section):
    """Bootstrap `resamples`; a mask below `failure_iou` counts as a failure."""

    resamples: int
    failure_iou: float


class TrainingPhase(Section):
    """`cooldown`: the share of the steps over which the learning rate falls to 1 %."""

    steps: int
    batch: int
    learning_rate: float
    weight_decay: float
    cooldown: float
    warmup: int = 200


class Pretrain(Section):
    """Pre-training of the embedded model: two phases, and what its scenes are made of."""

    seed: int
    longest: int
    textures: int
    texture_size: int
    save_every: int
    geometry: TrainingPhase
    scenes: TrainingPhase


class Tracking(Section):
    """A stage that ran longer than `flush_after_seconds` sends its own record to MLflow."""

    enabled: bool
    flush_after_seconds: float


S = TypeVar("S", bound=BaseModel)
SECTIONS = {
    "base", "model", "datasets", "data", "split", "encode", "fit", "predict", "methods", "tabulate", "tracking",
    "pretrain", "subset",
}  # fmt: skip


class Params:
    """The whole file; sections are checked against their models when they are asked for."""

    def __init__(self, values: dict[str, Any], path: Path = FILE) -> None:
        self.values, self.path = values, path
        known = SECTIONS | set(method_names())
        for key in values:
            if key not in known:
                raise UserError(f"{path}: unknown section {key!r}.", _suggest(key, known))

    @classmethod
    def read(cls, path: Path = FILE) -> "Params":
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path} is missing.", "Run from the repository's root.") from None
        except yaml.YAMLError as error:
            raise UserError(f"{path} is not YAML ({error}).", "Mend the line it names.") from None
        if not isinstance(values, dict):
            raise UserError(f"{path} holds no sections.", "Restore it, for instance with `uncertsam use demo`.")
        return cls(values, path)

    def section(self, key: str, model: type[S]) -> S:
        """One section (dots descend: `data.shadow`), checked. Raises UserError naming the key that is wrong."""
        value: Any = self.values
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                raise UserError(f"{self.path}: section {key!r} is missing.", "Add it, or run `uncertsam use PROFILE`.")
            value = value[part]
        return self.checked(key, {} if value is None else value, model)

    def checked(self, key: str, value: Any, model: type[S]) -> S:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join([key, *map(str, first["loc"])])
            known = set(model.model_fields)
            mend = _suggest(str(first["loc"][-1]), known) if first["type"] == "extra_forbidden" else "Mend the value."
            raise UserError(f"{self.path}: {name}: {first['msg'].lower()}.", mend) from None

    def names(self, key: str) -> list[str]:
        """A list of names, `datasets` or `methods`."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            raise UserError(f"{self.path}: {key} is not a list of names.", f"Write {key}: [NAME, ...].")
        return value


def _suggest(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, known, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(sorted(known))}."
