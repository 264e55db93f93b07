"""How USAM's tokens are extracted and its heads trained. Read by `params.py`, so nothing heavy is imported here."""

from typing import Literal

from pydantic import BaseModel, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from uncertsam.config.training import TrainParams

Protocol = Literal["paper", "deployable"]
View = Literal["jpeg10", "jpeg30", "noise", "blur"]


class ExtractTokens(BaseModel, extra="forbid", frozen=True):
    """What is asked of which objects. Defaults: the paper's.

    images: of each reported dataset, fit_images: of each dataset that heads are trained on, drawn by hash with `seed`;
    masks: at most, of each image; null for all. clicks: random ones beside the central one. views: changed pictures
    beside the clean one. dtype: of the encoder for the changed pictures; the clean ones' embeddings are given. tokens:
    as they are stored.
    """

    images: PositiveInt | None = None
    fit_images: PositiveInt | None = None
    masks: PositiveInt | None = None
    seed: int = 0
    clicks: PositiveInt = 7
    views: tuple[View, ...] = ("jpeg10", "jpeg30", "noise", "blur")
    dtype: Literal["float32", "bfloat16"] = "float32"
    tokens: Literal["float32", "float16"] = "float32"


class TrainUsam(TrainParams, frozen=True):
    """Training of USAM's heads on stored tokens. Defaults: what the authors found for SA-V.

    datasets: on whose `fit` splits. protocols, offset: which mask stands for a prompt, and how it is paired with tokens
    (`methods.usam`). optimiser: "sgd" with
    `momentum` at a constant rate (the paper; weight decay on everything), or "adamw" with a cosine to 0. batch: samples
    per step. held_out: share of near-duplicates' groups. trials: of a random search over the paper's ranges, beside
    these values; each head takes the best.
    """

    datasets: list[str] = Field(min_length=1)
    protocols: list[Protocol] = Field(["deployable", "paper"], min_length=1)
    offset: Literal[0, 1] = 1
    optimiser: Literal["sgd", "adamw"] = "sgd"
    epochs: PositiveInt = 9
    learning_rate: PositiveFloat = 0.00871307
    momentum: float = Field(0.163932, ge=0, lt=1)
    batch: PositiveInt = 193
    weight_decay: NonNegativeFloat = 0.001
    clip: PositiveFloat = 1e6
    held_out: float = Field(0.2, gt=0, lt=1)
    validate_every: PositiveFloat = 1.0
    save_every: PositiveInt = 500
    trials: NonNegativeInt = 0
