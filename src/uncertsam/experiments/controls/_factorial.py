"""All sixteen cells of the factorial for one image: the same decoder's output, read in sixteen ways.

Only here is arithmetic after the logits done in bfloat16, and on purpose: it is one of the factors. The authors'
Laplace runs under a global autocast, which rounds its probabilities and clamps them to [0.01, 0.99]; how much of its
gain is that is the question.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from uncertsam.experiments.controls.design import CELLS, FACTORS
from uncertsam.inference.algebra import Inputs, Masks, Samples, mean_logit
from uncertsam.methods.laplace import Laplace
from uncertsam.models.select import GATED, TokenPolicy, gate, select

COARSE = 0.01  # the authors' clamp of a probability in bfloat16


def coarse_logit(samples: Samples) -> Masks:
    """The logit of the mean probability in the authors' arithmetic: in +-logit(0.99), of steps of bfloat16.

    Logits, probabilities and their mean are rounded to bfloat16 (a mean is summed in float32, then rounded); the
    logarithms of the clamped mean are float32, as under autocast.
    """
    total, count = torch.zeros((), device=samples.iou.device), 0
    for logits in samples.chunks():
        total = total + torch.sigmoid(logits.bfloat16()).float().sum(0)
        count += len(logits)
    return torch.logit((total / count).bfloat16().float().clamp(COARSE, 1 - COARSE))


READINGS: dict[str, Callable[[Samples], Masks]] = {"fp32": mean_logit, "bf16": coarse_logit}


def factorial(inputs: Inputs, laplace: Laplace) -> dict[str, Masks]:
    """Cell -> logit of its mean probability [n, h, w]; U is its entropy.

    laplace: the method without its gate. A mask of another token than 0 has no posterior, because the Bayesian layer
    feeds token 0 alone: there Laplace is that token's plain answer.
    """
    drawn, there = laplace(inputs), inputs.decoded.object_logit
    found: dict[frozenset[str], Masks] = {}
    for precision, read in READINGS.items():
        sampled, empty = read(drawn), read(_certain(torch.full_like(inputs.decoded.logits[:, 0], GATED), drawn))
        for token, policy in _policies().items():
            chosen = select(inputs.decoded, policy)
            plain = read(_certain(chosen.logits, drawn))
            bayes = {"map": plain, "laplace": torch.where((chosen.token == 0)[:, None, None], sampled, plain)}
            for level, logits in bayes.items():
                found[_changed(token, "nogate", precision, level)] = logits
                found[_changed(token, "gate", precision, level)] = gate(logits, there, empty)
    return {name: found[changed] for changed, name in CELLS.items()}


def _policies() -> dict[str, TokenPolicy]:
    return {"dynamic": TokenPolicy(token="dynamic", gate=False), "token0": TokenPolicy(token=0, gate=False)}


def _certain(logits: Tensor, like: Samples) -> Samples:
    """Logits without any spread, as a sample of one."""
    return Samples(lambda: [logits[None]], like.iou, like.object_logit)


def _changed(*levels: str) -> frozenset[str]:
    """The factors that are as in LA, from their levels in the order of `FACTORS`."""
    return frozenset(f for (f, (_, la)), level in zip(FACTORS.items(), levels, strict=True) if level == la)
