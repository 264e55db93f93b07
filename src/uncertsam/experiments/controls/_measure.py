"""From controls to numbers: every mask of a subset answered by every control, and measured as any method is.

An image's values depend on (seed, dataset, image) alone, so the order of work is of no account.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from uncertsam.data.format import Annotation, ImageRecord
from uncertsam.experiments.controls._factorial import factorial
from uncertsam.experiments.controls.design import REGION
from uncertsam.inference.algebra import Inputs, Masks, Method, mean_logit, objects_at_once
from uncertsam.inference.measures import entropy
from uncertsam.inference.predictions import PromptSet, boxes_of
from uncertsam.methods.laplace import Laplace
from uncertsam.metrics.masks import METRICS, measure_mask
from uncertsam.metrics.region import TruthSide
from uncertsam.models.layout import Layout, Size
from uncertsam.statistics.table import COLUMNS

Controls = Callable[[Inputs], Mapping[str, Masks]]  # control -> logit of its mean probability [n, h, w]; U: its entropy
Values = dict[str, float]  # metric -> value on the whole image


def all_controls(laplace: Laplace, single: Mapping[str, Method]) -> Controls:
    """The factorial's cells and the one-at-a-time controls together."""
    return lambda inputs: factorial(inputs, laplace) | {name: mean_logit(m(inputs)) for name, m in single.items()}


def answered(inputs: Inputs, controls: Controls) -> dict[str, Masks]:
    """Every control of every object; so many objects are decoded together as memory allows, each once.

    Raises ValueError without prompts.
    """
    count, step = len(inputs.prompts), objects_at_once(inputs.model)
    if not count:
        raise ValueError("no prompts: nothing to answer")
    with torch.inference_mode(), torch.autocast(inputs.model.device.type, enabled=False):
        parts = [controls(replace(inputs, prompts=inputs.prompts[i : i + step])) for i in range(0, count, step)]
    return {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}


def measured(
    asked: PromptSet, controls: Controls, progress: Callable[[Iterable[ImageRecord]], Iterable[ImageRecord]] = iter
) -> pd.DataFrame:
    """The long table (`statistics.table.COLUMNS`) of one dataset, in the region `full`. progress: as tqdm."""
    rows = []
    for image in progress(asked.split):
        for annotation, control, values in _of_image(asked, image, controls):
            key = (asked.dataset, image.id, annotation.id)
            rows += [(*key, control, metric, REGION, value) for metric, value in values.items()]
    names = ["dataset", "image_id", "mask_id", "method", "metric", "region", "value"]
    return pd.DataFrame(rows, columns=names)[COLUMNS]


def mean_nll(asked: PromptSet, method: Method) -> float:
    """The mean NLL of a method's masks, over the whole images."""
    alone: Controls = lambda inputs: {"": mean_logit(method(inputs))}  # noqa: E731
    return float(np.nanmean([v["nll"] for image in asked.split for _, _, v in _of_image(asked, image, alone)]))


def _of_image(asked: PromptSet, image: ImageRecord, controls: Controls) -> Iterator[tuple[Annotation, str, Values]]:
    """Masks that come out the same, as most do where the factors change nothing, are measured once."""
    answers = answered(asked.of(image, boxes_of(asked.split, image)), controls)
    ignore = asked.split.ignored(image.id)
    for row, annotation in enumerate(asked.split.annotations[image.id]):
        side, known = TruthSide.of(asked.split.mask(annotation), ignore), dict[bytes, Values]()
        for control, logits in answers.items():
            key = logits[row].numpy().tobytes()
            if key not in known:
                known[key] = _measure(side, logits[row], asked.model.geometry, (image.height, image.width))
            yield annotation, control, known[key]


def _measure(side: TruthSide, logits: torch.Tensor, layout: Layout, size: Size) -> Values:
    maps = logits, entropy(logits[None])[0]
    large, uncertainty = (layout.to_picture(low.numpy(), size) for low in maps)
    found = measure_mask(side, large, uncertainty)
    return {metric: found[metric, REGION] for metric in METRICS}
