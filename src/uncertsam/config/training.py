"""How parts are fitted and trained. Read by `params.py`, so nothing heavy is imported here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from uncertsam.config.arms import arm_named


class FitLaplace(BaseModel, extra="forbid", frozen=True):
    """What the fit of the Laplace posterior depends on.

    likelihood: of a mask: one coin per pixel (the paper's words), or one categorical over all pixels (its code).
    prior_precision: of the weights, or "marglik" to maximise the marginal likelihood. temperature: divides the
    curvature, hence > 1 widens the posterior. resolution: side to which logits and masks are resized. objects: how
    many random objects per image, or "all". The last three: see `prompt_sequence`.
    """

    likelihood: Literal["bernoulli", "softmax_pixels"] = "bernoulli"
    prior_precision: PositiveFloat | Literal["marglik"] = 1.0
    temperature: PositiveFloat = 1.0
    resolution: PositiveInt = 128
    objects: PositiveInt | Literal["all"] = 1
    steps: PositiveInt = 8
    box_probability: float = Field(0.5, ge=0, le=1)
    foreground_probability: float = Field(0.5, ge=0, le=1)


class TrainParams(BaseModel, extra="forbid", frozen=True):
    """How a part is trained. Defaults: what the paper's trained parts share (Table 3, App. E).

    weight_decay: of weights; biases and normalisations have none. accumulate: images per optimiser step and device.
    warmup, cooldown: shares of all optimiser steps. objects: at most, per image. steps: of a prompt sequence.
    held_out: share of the images, by their hash, on which the best weights are chosen. validate_every: in epochs.
    save_every: optimiser steps between resume states. most_images: None for all.
    """

    epochs: PositiveInt
    learning_rate: PositiveFloat = 1e-4
    weight_decay: NonNegativeFloat = 0.01
    clip: PositiveFloat = 0.1
    accumulate: PositiveInt = 1
    warmup: float = Field(1 / 90, ge=0, le=1)
    cooldown: float = Field(1 / 18, ge=0, le=1)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    objects: PositiveInt = 32
    steps: PositiveInt = 8
    box_probability: float = Field(0.5, ge=0, le=1)
    foreground_probability: float = Field(0.5, ge=0, le=1)
    flip: float = Field(0.5, ge=0, le=1)
    held_out: float = Field(0.1, ge=0, lt=1)
    validate_every: PositiveFloat = 0.5
    save_every: PositiveInt = 50
    most_images: PositiveInt | None = None


class TrainVariance(TrainParams, frozen=True):
    """Training of the variance network (paper, App. E).

    dataset: on whose `fit` split.
    token: 0 trains the single mask's log-variance, "all" that of every mask. resolution: side of the square on which
    probabilities and masks are compared, "input" for that of the model's input (the paper: 1024).
    """

    dataset: str
    token: Literal[0, "all"] = 0
    resolution: PositiveInt | Literal["input"] = "input"


class TrainFusion(TrainParams, frozen=True):
    """Training of dense embedding fusion (paper, App. A and D), whatever the arm.

    arms: trained on the `fit` split of `dataset`; those with a domain left out (`ARMS`) on the others of `domains`
    (null: all reported datasets with a fit split). init: see `build_fusion`.
    laplace: the first pass's mean probability in closed form, or of so many `samples`. token, gate: of the first pass
    where it is SAM's, and of the second. resolution: as for the variance network. weight_decay_ones: of the arms with
    a map of ones, where it is another one (the authors' code: 0.001).
    """

    dataset: str
    arms: list[str]
    domains: list[str] | None = None
    init: Literal["faithful", "identity", "mask_prompt"] = "identity"
    laplace: Literal["closed", "samples"] = "closed"
    samples: PositiveInt = 100
    token: Literal[0, "dynamic"] = 0
    gate: bool = False
    resolution: PositiveInt | Literal["input"] = "input"
    weight_decay_ones: NonNegativeFloat | None = None

    def splits(self, benchmark: Path, reported: Sequence[str]) -> list[Path]:
        """Every split that an arm may be trained on, under `benchmark`."""
        leaves_out = any(arm_named(arm).left_out for arm in self.arms)
        domains = (self.domains or reported) if leaves_out else []
        folders = [benchmark / name / "fit" for name in dict.fromkeys([self.dataset, *domains])]
        return [folder for folder in folders if folder.is_dir()]


class TrainRuac(TrainParams, frozen=True):
    """Training of the Bayesian decoder (RUAC). Defaults: the paper's and its release's (`epochs` there: 20).

    learning_rate: of mask decoder and prompt encoder; readout_rate, attack_rate: of the others. All fall along a cosine
    to a tenth. steps: the first prompt and the corrections. resolution: as for the variance network. reads: what the
    read-out makes mask weights of, the model's own, which let it begin at the model's masks, or the mask tokens (the
    paper). kl_weight: of the divergence, before the curriculum's. masks, prior: shares of the training before the prior
    and the attack come in. attack: none, learnt, or noise of `noise` in normalised pixels. deform: move outlines as
    well. cal_updates_model: whether the calibration loss trains the decoder, or its attackers alone.
    """

    dataset: str
    learning_rate: PositiveFloat = 1e-6
    readout_rate: PositiveFloat = 1e-4
    attack_rate: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.1
    objects: PositiveInt = 3
    resolution: PositiveInt | Literal["input"] = "input"
    reads: Literal["weights", "tokens"] = "weights"
    variance: Literal["full", "product"] = "full"
    kl_weight: NonNegativeFloat = 1e-11
    masks: float = Field(0.25, ge=0, le=1)
    prior: float = Field(0.1, ge=0, le=1)
    attack: Literal["none", "learnt", "noise"] = "learnt"
    noise: PositiveFloat = 0.03
    style: Literal["global", "single", "multi", "multi_bg", "gcn"] = "gcn"
    style_eps: PositiveFloat = 0.3
    deform: bool = True
    deform_eps: PositiveFloat = 0.15
    vacated: Literal["styled", "zero"] = "styled"
    cal_updates_model: bool = True
