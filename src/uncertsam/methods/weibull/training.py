"""Training the Bayesian decoder against attackers of style and outline (RUAC, Sec. 3).

w_seg L_seg + w_kl L_KL + w_aue (L_seg' + 0.05 L_KL' + 0.1 L_cal)     ' under attack; weights by the curriculum
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from uncertsam.base.rng import derive_seed
from uncertsam.config.training import TrainRuac
from uncertsam.methods.weibull._answer import Answer, at_side, corrected
from uncertsam.methods.weibull.losses import ATTACKED_KL, CALIBRATION, Curriculum, Weights
from uncertsam.methods.weibull.readout import BayesianReadout, last_product, mimic
from uncertsam.methods.weibull.uncertainty import logits
from uncertsam.models.prompt_schedule import prefix
from uncertsam.models.promptable import Decoded, Embedding
from uncertsam.models.prompts import PAD, Prompts
from uncertsam.models.sam2 import Sam2Model
from uncertsam.training.accumulate import streamed_sum
from uncertsam.training.attacks.deform import DeformAttacker
from uncertsam.training.attacks.style import StyleAttacker
from uncertsam.training.examples import Example
from uncertsam.training.schedule import cosine
from uncertsam.training.task import Loss, Mode, ParameterGroup, Step, Task, decayed_groups

Masks = Float[Tensor, "n s s"]


@dataclass(frozen=True)
class _Branch:
    """The image as it is, or attacked: what the decoder is asked about, and the weights of its three losses."""

    name: str
    embedding: Embedding
    truth: Masks
    segmentation: float
    divergence: float
    calibration: float = 0.0


class RuacTask(Task[Example]):
    """A copy of the model whose decoder, prompt encoder and read-out are trained, and attackers that ascend.

    The encoder is frozen, and so are the projections of its fine maps: they are in the stored embeddings. A step's
    prompts follow each other: a box or a click, then clicks in the error with the mask fed back. (SAM 2 begins half of
    its sequences with the true mask, which it copies: a single image learns nothing from that.) Each step is
    differentiated before the next, down to the embedding; then the encoder once, whose activations are computed again
    (checkpointing): memory is that of one step, or of one encoder pass, whichever is more.
    """

    def __init__(self, model: Sam2Model, params: TrainRuac, seed: int) -> None:
        """seed: of the experiment; all arms begin with the same weights."""
        self.model, self.decoder = model.trainable_copy()
        self.params, self.curriculum = params, Curriculum(params.masks, params.prior)
        self.side = model.image_size if params.resolution == "input" else params.resolution
        channels = sum(layer.out_features for layer in model.last_layers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "ruac"))  # modules draw from torch's own generator
            self.readout = BayesianReadout(channels, channels if params.reads == "weights" else model.width)
            self.style = StyleAttacker(model.width, params.style, params.style_eps)
            self.deform = DeformAttacker(model.width, params.deform_eps, params.vacated)
        self.attackers = nn.ModuleDict({"style": self.style, "deform": self.deform})
        parts = {"decoder": self.decoder, "readout": self.readout, "attackers": self.attackers}
        self.module: nn.ModuleDict = nn.ModuleDict(parts).to(model.device)

    def begin(self, examples: Iterable[Example]) -> None:
        """Set the read-out to mimic the model's own masks of these examples."""
        with torch.no_grad():
            found = [self.model.decode(one.embedding, prefix(one.prompts, 1)) for one in examples]
        mimic(self.readout, [(self._read(one), *last_product(one)) for one in found])

    def _read(self, decoded: Decoded) -> Float[Tensor, "n t d"]:
        return last_product(decoded)[0] if self.params.reads == "weights" else decoded.tokens

    def parameter_groups(self) -> list[ParameterGroup]:
        """Decoder, read-out, attackers."""
        knobs = self.params
        rates = (knobs.learning_rate, knobs.readout_rate, knobs.attack_rate)
        parts = zip(self.module.values(), rates, strict=True)
        return [group for part, rate in parts for group in decayed_groups(part, rate, knobs.weight_decay, cosine)]

    def loss(self, example: Example, step: Step, mode: Mode) -> tuple[Loss, dict[str, float]]:
        """All of the curriculum's terms; in the mode "mean", the mean logits' segmentation loss, unattacked."""
        weights, truth = self.curriculum.weights(step), self.model.geometry.masks_to_input(example.masks)
        if mode == "mean":
            weights = Weights(1.0, 0.0, 0.0)
        clean = _Branch("clean", example.embedding, truth, weights.segmentation, weights.divergence)
        total = self._of(clean, example, mode)
        logged = {"clean": float(total.detach())}
        if weights.attack and self.params.attack != "none":
            hard = self._of(self._attacked(example, truth), example, mode)
            total, logged["attacked"] = total + weights.attack * hard, float(hard.detach())
        return total, logged

    def _attacked(self, example: Example, truth: Masks) -> _Branch:
        pixels, moved = self._changed(example, truth)
        encoded: Embedding = checkpoint(self.model.encode, pixels, use_reentrant=False)
        return _Branch("attacked", encoded, moved.detach(), 1.0, ATTACKED_KL, CALIBRATION)

    def _changed(self, example: Example, truth: Masks) -> tuple[Float[Tensor, "1 3 s s"], Masks]:
        """The image under attack, and the truth that has moved with it."""
        pixels = self.model.geometry.to_input(example.picture())[None].to(truth.device)
        if self.params.attack == "noise":
            draw = torch.randn(pixels.shape, generator=example.generator("noise")).to(pixels.device)
            return pixels + self.params.noise * draw, truth
        features, masks = example.embedding.maps[0].detach().clone(), truth[None]
        pixels = self.style(features, pixels, masks, example.generator("dropout"))
        if self.params.deform:
            pixels, masks = self.deform(self._fused(example, truth)[None], pixels, masks)
        return pixels, masks[0]

    @torch.no_grad()
    def _fused(self, example: Example, truth: Masks) -> Float[Tensor, "n c h w"]:
        return self.model.with_object(example.embedding, truth)

    def _of(self, branch: _Branch, example: Example, mode: Mode) -> Loss:
        """The mean over objects, summed over prompt steps."""
        read: list[Tensor] = [*self.decoder.parameters(), *self.readout.parameters(), *branch.embedding.maps]
        return streamed_sum(self._terms(branch, example, mode), [one for one in read if one.requires_grad])

    def _terms(self, branch: _Branch, example: Example, mode: Mode) -> Iterator[Loss]:
        prompts, truth = prefix(example.prompts, 1), at_side(branch.truth, self.side)
        for k in range(self.params.steps):
            several = (prompts.labels != PAD).sum(1) == 1 if k == 0 else torch.zeros(len(prompts), dtype=torch.bool)
            draw, click = (partial(example.generator, f"{branch.name}/{k}{kind}") for kind in ("", "/click"))
            answer = self._answer(branch.embedding, prompts, several.to(truth.device), mode, draw())
            yield self._cost(branch, answer, truth)
            if branch.calibration and not self.params.cal_updates_model:
                with _untrained(self.decoder, self.readout):
                    apart = self._answer(branch.embedding, prompts, answer.several, mode, draw())
                yield branch.calibration * apart.calibration(truth, self.params.variance).mean()
            prompts = corrected(prompts, answer, truth, self.model.image_size, click())

    def _cost(self, branch: _Branch, answer: Answer, truth: Masks) -> Loss:
        found = branch.segmentation * answer.segmentation(truth).mean()
        if branch.divergence:
            found = found + branch.divergence * self.params.kl_weight * answer.evidence.divergence()
        if branch.calibration and self.params.cal_updates_model:
            found = found + branch.calibration * answer.calibration(truth, self.params.variance).mean()
        return found

    def _answer(
        self, embedding: Embedding, prompts: Prompts, several: Tensor, mode: Mode, draw: torch.Generator
    ) -> Answer:
        decoded = self.model.decode(embedding, prompts)
        evidence = self.readout(self._read(decoded), last_product(decoded)[1])
        return Answer(decoded, evidence, logits(evidence, mode, draw), several)


@contextmanager
def _untrained(*modules: nn.Module) -> Iterator[None]:
    """What is computed inside has no gradient in the modules' parameters, but in what they read."""
    trained = [p for module in modules for p in module.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
