"""Fitting last-layer Laplace: one pass over images, one short sum per image (paper App. E)."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from uncertsam.base.errors import UserError
from uncertsam.config.training import FitLaplace
from uncertsam.inference.algebra import objects_at_once
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.prompt_schedule import prefix, prompt_sequence, stack
from uncertsam.models.promptable import Decoded, Embedding, PromptableModel
from uncertsam.models.prompts import Prompts

if TYPE_CHECKING:
    from uncertsam.methods.posterior.curvature import DiagLaplace, Head

Example = tuple[Embedding, Prompts, Bool[Tensor, "n h w"]]  # one image, what is asked about it, and the truth


def draw_example(
    masks: Bool[Tensor, "n h w"], size: int, params: FitLaplace, generator: torch.Generator
) -> tuple[Prompts, Bool[Tensor, "m h w"]]:
    """Random objects of one image, each with the same random prefix of its prompt sequence; and their masks.

    size: side of the model's input. Raises ValueError where a chosen mask is empty.
    """
    most = len(masks) if params.objects == "all" else params.objects
    chosen = masks[torch.randperm(len(masks), generator=generator)[:most]]
    steps = int(torch.randint(1, params.steps + 1, (1,), generator=generator))
    chances = (params.steps, params.box_probability, params.foreground_probability)
    sequences = [prompt_sequence(mask, size, generator, *chances) for mask in chosen]
    return prefix(stack(sequences), steps), chosen


def fit(
    model: PromptableModel,
    examples: Iterable[Example],
    params: FitLaplace,
    progress: Callable[[Iterable[Example]], Iterable[Example]] = iter,
) -> LaplaceState:
    """The posterior of the last layer's weights around the model's own. Raises UserError without examples.

    progress: wraps the examples, as tqdm does. Masks may have any resolution. Token 0 is read, whatever its quality.
    """
    return summed(model, summands(model, iter(progress(examples)), params), params)


@dataclass(frozen=True)
class Summand:
    """What a portion of an image's objects adds to the posterior: diagonal of the curvature, and loss; on the CPU."""

    curvature: Float[Tensor, " parameters"]
    loss: Float[Tensor, ""]


def summands(model: PromptableModel, examples: Iterable[Example], params: FitLaplace) -> Iterator[list[Summand]]:
    """Image by image. A portion is a summand of its own, so that they can be added in one order by whoever does it."""
    from uncertsam.methods.posterior.curvature import DiagLaplace, Head, LastLayerGgn

    head, step = Head(model.last_layer, params.likelihood), objects_at_once(model)
    for embedding, prompts, masks in examples:
        found = []
        for i in range(0, len(masks), step):
            with torch.inference_mode():
                decoded = model.decode(embedding, prompts[i : i + step])
            alone = DiagLaplace(head, "classification", backend=LastLayerGgn)
            accumulate(alone, head, decoded, masks[i : i + step], params.resolution)
            found.append(Summand(alone.H.cpu(), torch.as_tensor(alone.loss).cpu()))
        yield found


def summed(model: PromptableModel, images: Iterable[list[Summand]], params: FitLaplace) -> LaplaceState:
    """The posterior, of the summands of every image, added up in the order in which laplace-torch itself would.

    Raises UserError without images.
    """
    from uncertsam.methods.posterior.curvature import DiagLaplace, Head, LastLayerGgn

    head, count = Head(model.last_layer, params.likelihood), 0
    posterior = DiagLaplace(head, "classification", temperature=params.temperature, backend=LastLayerGgn)
    device = posterior.H.device
    posterior.mean = parameters_to_vector(posterior.params).detach()  # as its own `fit` sets it
    for image in images:
        count += 1
        for one in image:  # one by one: floats add up to other bits in another order
            posterior.H += one.curvature.to(device)
            posterior.loss += one.loss.to(device)
    if not count:
        raise UserError("There are no images to fit Laplace on.", "Check the `fit` splits of the datasets.")
    set_prior(posterior, params.prior_precision)
    return _state(posterior, model, params, count)


def accumulate(
    posterior: "DiagLaplace", head: "Head", decoded: Decoded, masks: Bool[Tensor, "n h w"], resolution: int
) -> None:
    """Add the curvature of one image's objects to the posterior's."""
    side = (resolution, resolution)
    features = F.interpolate(decoded.features, side, mode="bilinear", align_corners=False).flatten(2)
    target = F.interpolate(masks[:, None].to(features), side, mode="nearest").flatten(1)
    data = {"hidden": decoded.hidden[:, 0], "features": features, "labels": head.labels(target)}
    posterior.fit(_OneBatch(data), override=False)  # type: ignore[arg-type]


def set_prior(posterior: "DiagLaplace", prior_precision: float | Literal["marglik"]) -> None:
    """Set the prior precision, or find the one scalar that maximises the Laplace marginal likelihood."""
    if prior_precision != "marglik":
        posterior.prior_precision = prior_precision
        return
    with warnings.catch_warnings():  # laplace-torch warns of a link function that we never use
        warnings.filterwarnings("ignore", message="By default `link_approx`")
        posterior.optimize_prior_precision(method="marglik", n_steps=300)


class _OneBatch(list[dict[str, Tensor]]):
    """What laplace-torch asks of a DataLoader: batches, and `dataset` for the number of observations."""

    def __init__(self, data: dict[str, Tensor]) -> None:
        super().__init__([data])
        self.dataset = range(1)


def _state(posterior: "DiagLaplace", model: PromptableModel, params: FitLaplace, images: int) -> LaplaceState:
    shape = model.last_layer.weight.shape
    weight, bias = torch.split(posterior.H, [shape.numel(), shape[0]])
    return LaplaceState(
        model=model.name,
        model_sha256=model.digest,
        images=images,
        params=params.model_dump(),
        curvature_weight=weight.reshape(shape).clone(),
        curvature_bias=bias.clone(),
        prior_precision=posterior.prior_precision.reshape(()).clone(),
        temperature=torch.tensor(params.temperature),
    )
