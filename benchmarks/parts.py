"""The parts that are timed: ours, the naive way, and what each has to reach."""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from jaxtyping import Bool
from torch import Tensor

from benchmarks import naive_methods, naive_metrics, whole
from benchmarks.part import ENCODER, PLAIN, REFERENCE, SECONDS, Part, Reach
from benchmarks.setting import FIT, MEMBERS, SAMPLES, Setting, mask_and_maps, pictures_changed, prompts_moved
from benchmarks.timing import Job
from uncertsam.base.rng import torch_generator
from uncertsam.inference.algebra import answer, objects_at_once
from uncertsam.methods.posterior.curvature import DiagLaplace, Head, LastLayerGgn
from uncertsam.methods.posterior.fit import Observed, accumulate, draw_example, observed
from uncertsam.metrics.masks import measure_mask
from uncertsam.models.promptable import Decoded
from uncertsam.models.prompts import Prompts

METRIC_REACH = {1024: Reach(0.05, SECONDS), 2048: Reach(0.25, SECONDS)}  # by the side of the picture
SMALL = 32  # side of the masks for laplace-torch's own backend: 8 of 128x128 would take 9 GB of Jacobians at a time
SLOW = 1  # repeats of parts that take a minute on a CPU
TWO_DRAWS = 0.1  # tolerance between two sets of 1000 samples

Asked = tuple[Prompts, Bool[Tensor, "n h w"]]  # the prompts that are fitted on, and their masks


def parts(setting: Setting, sizes: Sequence[int]) -> Iterator[Part]:
    """All of `NAMES`, in their order; `metrics` once per size, `laplace_fit` once more beside its naive way."""
    yield from (metrics(size) for size in sizes)
    yield from (fit_of_an_image(setting), fit_beside_naive(setting))
    yield from _sampled_and_closed(setting)
    yield prompts(setting, MEMBERS)
    yield Part("variance", _size(setting), _asks(setting, "variance"), reach=Reach(2.0, PLAIN))
    yield all_but_tta(setting)
    yield changed(setting, MEMBERS)
    yield pipeline(setting, 1)


def metrics(size: int) -> Part:
    """One mask, one method, both regions; what depends on the truth alone was found before."""
    side, maps = mask_and_maps(size, seed=0)
    ours, naive = (partial(way, side, *maps) for way in (measure_mask, naive_metrics.metrics))
    return Part("metrics", f"{size}x{size} px, 1 mask", ours, naive, reach=METRIC_REACH.get(size))


def fit_of_an_image(setting: Setting) -> Part:
    """The encoder, the decoder and the curvature of one image; the reference leaves the curvature out."""
    asked, side = _asked(setting), FIT.resolution
    ours, plain = (partial(_fit, setting, asked, side, curved) for curved in (True, False))
    size = f"{_size(setting)}, curvature on {side}x{side}"
    return Part("laplace_fit", size, ours, reach=Reach(1.05, REFERENCE), reference=plain)


def fit_beside_naive(setting: Setting) -> Part:
    """The curvature alone, so small that laplace-torch's Jacobians fit into memory."""
    prompts, masks = _asked(setting)
    head, seen = _head(setting), observed(setting.model, _decode(setting, prompts), masks, SMALL)
    ours = partial(_curvature, head, seen)
    naive = partial(_naive_curvature, head, seen)
    return Part("laplace_fit", f"{len(masks)} objects, curvature alone on {SMALL}x{SMALL}, both ways", ours, naive)


def prompts(setting: Setting, members: int) -> Part:
    """Prompt perturbation from one embedding."""
    method = prompts_moved(setting.model, members)
    naive = partial(naive_methods.moved_boxes, members, setting.inputs)
    size, reach = f"{_size(setting)}, {members} members", Reach(float(members), PLAIN)
    return Part("prompt_10", size, partial(answer, method, setting.inputs), naive, reach=reach)


def changed(setting: Setting, members: int) -> Part:
    """Test-time augmentation, which encodes every member."""
    method = pictures_changed(setting.model, members)
    naive = partial(naive_methods.changed_pictures, members, setting.inputs)
    size, reach = f"{_size(setting)}, {members} members", Reach(1.1 * members, ENCODER)
    return Part("tta_10", size, partial(answer, method, setting.inputs), naive, reach=reach, repeats=SLOW)


def all_but_tta(setting: Setting) -> Part:
    """Encode, answer with every method of `Setting.methods`, measure; naive: each method decodes and measures alone."""
    ours, naive = partial(whole.together, setting), partial(whole.one_by_one, setting)
    size = f"{_size(setting)}, {len(setting.methods)} methods, metrics at the picture's size"
    return Part("all_but_tta", size, ours, naive, reach=Reach(4.0, ENCODER), repeats=SLOW)


def pipeline(setting: Setting, images: int) -> Part:
    """The same by the pipeline's own stages, from files to files."""
    size = f"{images} image, {_size(setting)}, {len(setting.methods)} methods, files included"
    return Part("pipeline", size, partial(whole.staged, setting, images), repeats=SLOW)


def _sampled_and_closed(setting: Setting) -> Iterator[Part]:
    state, inputs, size = setting.state, setting.inputs, _size(setting)
    closed, drawn = _asks(setting, "laplace_closed"), _asks(setting, "laplace")
    naive = partial(naive_methods.closed, state, inputs)
    yield Part("laplace_closed", size, closed, naive, reach=Reach(1.1, PLAIN))
    naive, size = partial(naive_methods.sampled, state, SAMPLES, inputs), f"{size}, {SAMPLES} samples"
    yield Part("laplace_1000", size, drawn, naive, TWO_DRAWS, Reach(4.0, PLAIN))


def _asks(setting: Setting, method: str) -> Job:
    return partial(answer, setting.methods[method], setting.inputs)


def _size(setting: Setting) -> str:
    return f"{setting.model.image_size} px, {len(setting.inputs.prompts)} objects"


def _asked(setting: Setting) -> Asked:
    masks = torch.from_numpy(setting.masks)
    prompts, chosen = draw_example(masks, setting.model.geometry, FIT, torch_generator(0, "fit"))
    return prompts.to(setting.model.device), chosen.to(setting.model.device)


def _head(setting: Setting) -> Head:
    return Head(setting.model.last_layers, FIT.likelihood)


@torch.inference_mode()
def _decode(setting: Setting, prompts: Prompts) -> Decoded:
    return setting.model.decode(setting.inputs.embedding, prompts)


def _fit(setting: Setting, asked: Asked, side: int, curved: bool) -> None:
    """As `posterior.fit` goes through one image; without the curvature, a plain encode and decode."""
    setting.encode()
    (prompts, masks), step = asked, objects_at_once(setting.model)
    head = _head(setting)
    posterior = DiagLaplace(head, "classification", backend=LastLayerGgn)
    for i in range(0, len(masks), step):
        decoded = _decode(setting, prompts[i : i + step])
        if curved:
            accumulate(posterior, head, observed(setting.model, decoded, masks[i : i + step], side))


def _curvature(head: Head, seen: Observed) -> Tensor:
    posterior = DiagLaplace(head, "classification", backend=LastLayerGgn)
    accumulate(posterior, head, seen)
    return posterior.H


def _naive_curvature(head: Head, seen: Observed) -> Tensor:
    data, target = seen
    cloned = {name: [each.clone() for each in parts] for name, parts in data.items()}
    return naive_methods.curvature(head, cloned | {"labels": head.labels(target).clone()})
