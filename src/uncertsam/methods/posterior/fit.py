"""Fitting last-layer Laplace: one pass over images, one short sum per image (paper App. E)."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from uncertsam.base.errors import UserError
from uncertsam.config.training import FitLaplace
from uncertsam.inference.algebra import objects_at_once
from uncertsam.methods.posterior.state import LaplaceState
from uncertsam.models.geometry import Geometry
from uncertsam.models.prompt_schedule import prefix, prompt_sequence, stack
from uncertsam.models.promptable import Decoded, Embedding, PromptableModel
from uncertsam.models.prompts import Prompts

if TYPE_CHECKING:
    from uncertsam.methods.posterior.curvature import DiagLaplace, Head

Observed = tuple[dict[str, Any], Float[Tensor, "n pixels"]]  # what a `Head` reads of some objects, and their masks
Example = tuple[Embedding, Prompts, Bool[Tensor, "n h w"]]  # one image, what is asked about it, and the truth


def draw_example(
    masks: Bool[Tensor, "n h w"], geometry: Geometry, params: FitLaplace, generator: torch.Generator
) -> tuple[Prompts, Bool[Tensor, "m h w"]]:
    """Random objects of one image, each with the same random prefix of its prompt sequence; and their masks.

    geometry: of the model. Raises ValueError where a chosen mask is empty.
    """
    most = len(masks) if params.objects == "all" else params.objects
    chosen = masks[torch.randperm(len(masks), generator=generator)[:most]]
    steps = int(torch.randint(1, params.steps + 1, (1,), generator=generator))
    chances = (params.steps, params.box_probability, params.foreground_probability)
    sequences = [prompt_sequence(mask, geometry, generator, *chances) for mask in chosen]
    return prefix(stack(sequences), steps), chosen


def fit(
    model: PromptableModel,
    examples: Iterable[Example],
    params: FitLaplace,
    progress: Callable[[Iterable[Example]], Iterable[Example]] = iter,
) -> LaplaceState:
    """The posterior of the last layers' weights around the model's own. Raises UserError without examples.

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

    head, step = Head(model.last_layers, params.likelihood), objects_at_once(model)
    for embedding, prompts, masks in examples:
        found = []
        for i in range(0, len(masks), step):
            with torch.inference_mode():
                decoded = model.decode(embedding, prompts[i : i + step])
            alone = DiagLaplace(head, "classification", backend=LastLayerGgn)
            accumulate(alone, head, observed(model, decoded, masks[i : i + step], params.resolution))
            found.append(Summand(alone.H.cpu(), torch.as_tensor(alone.loss).cpu()))
        yield found


def summed(model: PromptableModel, images: Iterable[list[Summand]], params: FitLaplace) -> LaplaceState:
    """The posterior, of the summands of every image, added up in the order in which laplace-torch itself would.

    Raises UserError without images.
    """
    from uncertsam.methods.posterior.curvature import DiagLaplace, Head, LastLayerGgn

    head, count = Head(model.last_layers, params.likelihood), 0
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


def observed(model: PromptableModel, decoded: Decoded, masks: Bool[Tensor, "n h w"], resolution: int) -> Observed:
    """Features and masks of one image's objects on a square of `resolution`."""
    to_square, size = model.geometry.to_square, masks.shape[1:]
    features = [to_square(head.features, size, resolution).flatten(2) for head in decoded.heads]
    target = F.interpolate(masks[:, None].to(features[0]), (resolution, resolution), mode="nearest").flatten(1)
    return {"hidden": [head.hidden[:, 0] for head in decoded.heads], "features": features}, target


def accumulate(posterior: "DiagLaplace", head: "Head", seen: Observed) -> None:
    """Add the curvature of one image's objects to the posterior's."""
    data, target = seen
    posterior.fit(_OneBatch(data | {"labels": head.labels(target)}), override=False)  # type: ignore[arg-type]


def set_prior(posterior: "DiagLaplace", prior_precision: float | Literal["marglik"]) -> None:
    """Set the prior precision, or find the one scalar that maximises the Laplace marginal likelihood."""
    if prior_precision != "marglik":
        posterior.prior_precision = prior_precision
        return
    with warnings.catch_warnings():  # laplace-torch warns of a link function that we never use
        warnings.filterwarnings("ignore", message="By default `link_approx`")
        posterior.optimize_prior_precision(method="marglik", n_steps=300)


class _OneBatch(list[dict[str, Any]]):
    """What laplace-torch asks of a DataLoader: batches, and `dataset` for the number of observations."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__([data])
        self.dataset = range(1)


def _state(posterior: "DiagLaplace", model: PromptableModel, params: FitLaplace, images: int) -> LaplaceState:
    parameters = [p for layer in model.last_layers for p in (layer.weight, layer.bias)]
    parts = torch.split(posterior.H, [p.numel() for p in parameters])
    curvatures = [part.reshape(p.shape).clone() for part, p in zip(parts, parameters, strict=True)]
    return LaplaceState(
        model=model.name,
        model_sha256=model.digest,
        images=images,
        params=params.model_dump(),
        curvature_weight=tuple(curvatures[::2]),
        curvature_bias=tuple(curvatures[1::2]),
        prior_precision=posterior.prior_precision.reshape(()).clone(),
        temperature=torch.tensor(params.temperature),
    )
