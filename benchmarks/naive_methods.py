"""The methods as a textbook has them: all objects at once, probabilities stacked and averaged, nothing shared.

Each gives {"probability": [n, h, w]}.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from uncertsam.inference.algebra import Inputs
from uncertsam.inference.perturb import BoxNoise, Colours, moved_prompts, train_view
from uncertsam.methods.posterior.curvature import DiagLaplace, Head
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.promptable import Decoded, PromptableModel
from uncertsam.models.store import encode

NODES = 64  # of Gauss-Hermite quadrature
AT_ONCE = 100  # samples, some 200 MB of logits for 8 masks of 256x256

Found = dict[str, Tensor]


class OneBatch(list[dict[str, Any]]):
    """What laplace-torch asks of a DataLoader."""

    dataset = range(1)


def curvature(head: Head, data: dict[str, Any]) -> Tensor:
    """laplace-torch as it comes: its default backend, Jacobians of every logit."""
    posterior = DiagLaplace(head, "classification")
    posterior.fit(OneBatch([data]))  # type: ignore[arg-type]
    return posterior.H


@torch.inference_mode()
def closed(state: LaplaceState, inputs: Inputs) -> Found:
    """The mean of a sigmoid of a normal logit by Gauss-Hermite quadrature."""
    decoded = _decoded(inputs)
    (head,) = decoded.heads
    (spread,) = state.output_variance([head.hidden[:, 0]])
    deviation = torch.einsum("nc,nchw->nhw", spread, head.features**2).sqrt()
    total = torch.zeros_like(deviation)
    for node, weight in zip(*np.polynomial.hermite_e.hermegauss(NODES), strict=True):
        total += float(weight) * torch.sigmoid(decoded.logits[:, 0] + float(node) * deviation)
    return {"probability": total / float(np.sqrt(2 * np.pi))}


@torch.inference_mode()
def sampled(state: LaplaceState, samples: int, inputs: Inputs) -> Found:
    """Networks drawn weight by weight, as the paper says it."""
    decoded = _decoded(inputs)
    (head,), (layer,) = decoded.heads, inputs.model.last_layers
    generator, total = inputs.generator("naive"), torch.zeros_like(decoded.logits[:, 0])
    for start in range(0, samples, AT_ONCE):
        count = min(AT_ONCE, samples - start)
        weight = _drawn(layer.weight, state.variance_weight[0], count, generator)
        bias = _drawn(layer.bias, state.variance_bias[0], count, generator)
        outputs = torch.einsum("scd,nd->snc", weight, head.hidden[:, 0]) + bias[:, None]
        total += torch.sigmoid(torch.einsum("snc,nchw->snhw", outputs, head.features)).sum(0)
    return {"probability": total / samples}


@torch.inference_mode()
def moved_boxes(members: int, inputs: Inputs) -> Found:
    """Prompt perturbation, a member at a time."""
    prompts = [inputs.prompts, *(moved_prompts(inputs, k, BoxNoise()) for k in range(1, members))]
    return _averaged([inputs.model.decode(inputs.embedding, asked) for asked in prompts])


@torch.inference_mode()
def changed_pictures(members: int, inputs: Inputs) -> Found:
    """Test-time augmentation, a member at a time."""
    return _averaged([_changed(inputs, k) for k in range(members)])


def _changed(inputs: Inputs, k: int) -> Decoded:
    model: PromptableModel = inputs.model
    view = train_view(Colours(), inputs.image(), model.geometry, inputs.generator(f"tta_train/{k}"))
    return model.decode(encode(model, view[None], torch.float32), inputs.prompts)


def _decoded(inputs: Inputs) -> Decoded:
    return inputs.model.decode(inputs.embedding, inputs.prompts)


def _averaged(members: list[Decoded]) -> Found:
    return {"probability": torch.stack([torch.sigmoid(member.logits[:, 0]) for member in members]).mean(0)}


def _drawn(mean: Tensor, variance: Tensor, count: int, generator: torch.Generator) -> Tensor:
    noise = torch.randn(count, *mean.shape, generator=generator).to(mean)
    return mean + noise * variance.sqrt()
