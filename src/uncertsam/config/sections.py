"""The sections of `params.yaml` that belong to the pipeline; a method's own parameters are its module's `Params`."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, StrictBool

from uncertsam.base.errors import UserError

ALL, POOLED = RESERVED = ("all", "pooled")  # what reports call several datasets together: no dataset's name
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def refuse_reserved(names: Iterable[Any], place: str, mend: str) -> None:
    """Raise UserError where a dataset has a name that reports use themselves, in whatever case."""
    for name in names:
        if str(name).casefold() in RESERVED:
            told = " and ".join(map(repr, RESERVED))
            problem = f"{place}: a dataset cannot be named {name!r}: {told} stand for several datasets in the reports."
            raise UserError(problem, mend)


def check_dataset_names(names: Sequence[Any], place: str, mend: str) -> None:
    """Raise UserError on a name that reports use, that breaks a path or a dotted key, or that is there twice.

    Names that differ in case only are one file on some machines.
    """
    refuse_reserved(names, place, mend)
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            rule = "letters a to z, digits, - and _, a letter or a digit first"
            raise UserError(f"{place}: a dataset cannot be named {name!r}, for names are of {rule}.", mend)
        if name.casefold() in seen:
            raise UserError(f"{place}: {seen[name.casefold()]!r} and {name!r} are the same but for their case.", mend)
        seen[name.casefold()] = name


class _Section(BaseModel):
    """A section whose keys are all known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Base(_Section):
    """What every stage shares. threads: CPU threads per process, null for the machine's choice.

    model: the one of `models` that experiments and the report read.
    """

    profile: str
    seed: int
    model: str
    device: str = "cpu"
    threads: PositiveInt | None = None


class Model(_Section):
    """Which network, and which file holds its weights."""

    name: str
    weights: Path


class SplitContract(_Section):
    """`salt` makes the assignment by hash; images within `near` bits of perceptual hash stay together."""

    salt: str
    near: int


class Dataset(_Section):
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


class Encode(_Section):
    """`dtype` of the encoder and of the store; `stream` skips the store and encodes on demand."""

    dtype: Literal["float32", "bfloat16"]
    batch: PositiveInt
    stream: bool


class Subset(_Section):
    """A seeded sample of `dataset`: {split: number of images}, and at most `masks` of each image, null for all."""

    dataset: str
    images: dict[str, int]
    masks: int | None
    seed: int


class Fit(_Section):
    """The one dataset whose `fit` split everything is fitted on (the paper: a part of SA-1B)."""

    dataset: str


class FitCombination(BaseModel, extra="allow", frozen=True):
    """`dataset`: on whose `calibrate` split entropies are weighted; the other keys: `CombinationParams`."""

    dataset: str


class Predict(_Section):
    """Which split is predicted and reported: never one that anything was fitted on."""

    split: Literal["calibrate", "test"]


class Tabulate(_Section):
    """Bootstrap `resamples`; a mask below `failure_iou` counts as a failure."""

    resamples: PositiveInt
    failure_iou: float = Field(ge=0, le=1)


class Refine(_Section):
    """How often answers are refined; `token`, `gate`: which mask is read, of every later pass; as of `methods.sam`."""

    steps: int = Field(1, ge=1, le=3)
    token: Literal[0, "dynamic"]
    gate: StrictBool


class Ablate(_Section):
    """The controls (see `profiles/controls_registration.md`): which masks, and which values are tried one at a time.

    datasets: null for all that are reported. images: of each; masks: of each image, null for all; `seed` draws them.
    subset: SHA-256 of the list of masks, null for any. samples: N of Laplace; factorial_samples: where N is not what
    is changed. calibrate: the dataset on so many `calibrate_images` of whose calibrate split prior precision and
    temperature are chosen from their lists.
    """

    datasets: list[str] | None = Field(min_length=1)
    images: PositiveInt
    masks: PositiveInt | None
    seed: int
    subset: str | None = None
    samples: list[PositiveInt] = Field(min_length=1)
    factorial_samples: PositiveInt = 1000
    prior_precisions: list[PositiveFloat] = Field(min_length=1)
    temperatures: list[PositiveFloat] = Field(min_length=1)
    calibrate: str
    calibrate_images: PositiveInt


class Compare(_Section):
    """How methods are compared with the `references`, fixed before anything is judged.

    metrics: of the full region. resamples: of the bootstrap. alpha: of tests and intervals. margin: a difference of
    Brier score or IoU that counts as none, where the paper says "comparable" and gives no number.
    """

    metrics: list[str] = Field(min_length=1)
    references: list[str] = Field(min_length=1)
    resamples: PositiveInt
    alpha: float = Field(gt=0, lt=1)
    margin: float = Field(gt=0)


class Time(_Section):
    """How cost is taken: so many masks of as many images as that needs, answered `repeats` times by each method."""

    masks: PositiveInt
    repeats: PositiveInt


class TrainingLeg(_Section):
    """One leg of pre-training; see `uncertsam.pretraining.run.Leg`."""

    steps: PositiveInt
    size: int = Field(ge=64, multiple_of=32)
    batch: PositiveInt
    learning_rate: NonNegativeFloat
    weight_decay: NonNegativeFloat
    cooldown: float = Field(ge=0, le=1)
    whole: float = Field(ge=0, le=1)
    corrections: float = Field(0.6, ge=0, le=1)
    warmup: PositiveInt = 200


class _PhotoShare(_Section):
    """How often a source of photos is drawn; in a part `merged` of it all regions of a photo are one."""

    share: PositiveFloat
    merged: float = Field(0.0, ge=0, le=1)


class Pretrain(_Section):
    """Pre-training of the embedded model: its legs, what its scenes are made of, whose decoder it starts from."""

    seed: int
    start: Path
    longest: PositiveInt
    textures: PositiveInt
    texture_size: PositiveInt
    save_every: PositiveInt
    sources: dict[str, _PhotoShare]
    legs: list[TrainingLeg] = Field(min_length=1)


class Engine(_Section):
    """Who does the shards of a stage: no result depends on it. workers: shards in work at a time.

    threads: CPU threads of each worker; null: its share of the cores (processes), or 1 (ray).
    """

    backend: Literal["serial", "processes", "ray"] = "serial"
    workers: PositiveInt = 1
    threads: PositiveInt | None = None


class Tracking(_Section):
    """A stage that ran longer than `flush_after_seconds` sends its own record to MLflow, to that `experiment`."""

    enabled: StrictBool = True
    flush_after_seconds: NonNegativeFloat = 10.0
    experiment: str = "uncertsam"
