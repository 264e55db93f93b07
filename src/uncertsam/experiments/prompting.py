"""How good a promptable model is at all: its masks from one box and from clicks, beside what needs no model.

`filled_box` takes the whole box as the mask; `grabcut` is OpenCV's, five rounds from the same box (Rother et al. 2004).
It sees pictures of at most 400 px, more than `sam2_nano` sees.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8
from tqdm import tqdm

from uncertsam.base.rng import numpy_generator
from uncertsam.data.format import Split, read_split
from uncertsam.metrics.calibration import Forecast, expected_calibration_error
from uncertsam.metrics.ranking import ratio
from uncertsam.models.mask_points import centre, corners

Mask = Bool[np.ndarray, "h w"]
Picture = UInt8[np.ndarray, "h w 3"]
GRABCUT_SIDE = 400  # px: its time grows with the pixels, to a quarter of a minute for one photo
NO_RECTANGLE = (0, 0, 1, 1)  # not looked at where a mask is given
CLICKS = 20  # at most, of the interactive protocol
WAYS = ("box", "one_click", "five_clicks", "filled_box", "grabcut")
COLUMNS = (*WAYS, "noc_85", "noc_90", "iou_predicted", "ece", "nll")


def score(model: Any, benchmark: Path, datasets: list[str], split: str, most: int, seed: int) -> pd.DataFrame:
    """A row per mask, at most `most` of each dataset: dataset, quality, mask_id, and `COLUMNS`.

    `WAYS`: the IoU of each way, in [0, 1]. noc_85, noc_90: clicks until an IoU of 0.85 and 0.90, `CLICKS` where they do
    not reach it. iou_predicted: what the model itself says of the box's mask; ece, nll: of the box's probability,
    pixel by pixel, nll in nats.
    """
    rows = []
    for dataset in datasets:
        data = read_split(benchmark / dataset / split)
        for image_id, mask_id, truth in tqdm(list(_drawn(data, dataset, most, seed)), dataset, disable=None):
            picture, quality = data.pixels(image_id), data.images[image_id].quality
            told = {"dataset": dataset, "quality": quality, "mask_id": mask_id}
            rows.append(told | _scores(model, picture, truth))
    return pd.DataFrame(rows)


def _drawn(split: Split, dataset: str, most: int, seed: int) -> Iterator[tuple[int, int, Mask]]:
    """(image id, mask id, mask) of `most` masks, three per image at the most, in a seeded order."""
    rng, count = numpy_generator(seed, "prompting", dataset), 0
    for image_id in rng.permutation(list(split.images)):
        masks = split.masks(image_id)
        for k in rng.permutation(len(masks))[:3]:
            yield int(image_id), split.annotations[image_id][k].id, masks[k]
            count += 1
            if count == most:
                return


def _scores(model: Any, picture: Picture, truth: Mask) -> dict[str, float]:
    """Clicks are simulated as in SAM 2's evaluation: each at the centre of the largest error so far."""
    answer = _answerer(model, picture)
    logits, predicted = answer(corners(truth), np.array([2, 3]))
    forecast, box = Forecast.of(logits.ravel(), truth.ravel()), box_mask(truth)
    clicks = [iou(mask, truth) for mask in clicked(lambda *prompt: answer(*prompt)[0] > 0, truth, CLICKS)]
    masks = logits > 0, box, grabcut(picture, box)
    by_box, filled, cut = (iou(mask, truth) for mask in masks)
    return {
        "box": by_box, "one_click": clicks[0], "five_clicks": clicks[4], "filled_box": filled, "grabcut": cut,
        "noc_85": clicks_until(0.85, clicks), "noc_90": clicks_until(0.9, clicks), "iou_predicted": predicted,
        "ece": expected_calibration_error(forecast.probability, forecast.residual),
        "nll": float(forecast.surprise.mean(dtype=np.float64)),
    }  # fmt: skip


def clicks_until(goal: float, ious: Sequence[float]) -> int:
    """The number of clicks (NoC) after which the IoU first is at least `goal`; all of them where it never is."""
    return next((number for number, value in enumerate(ious, 1) if value >= goal), len(ious))


Answer = Callable[[np.ndarray, np.ndarray], tuple[Float[np.ndarray, "h w"], float]]
Ask = Callable[[np.ndarray, np.ndarray], Mask]


def _answerer(model: Any, picture: Picture) -> Answer:
    """Encode once; then (points [k, 2] in pixels, their labels) give token 0's logits at full size and its IoU."""
    import torch

    from uncertsam.models.prompts import to_prompts
    from uncertsam.models.store import encode

    size: tuple[int, int] = picture.shape[:2]
    embedding = encode(model, model.geometry.to_input(picture)[None], torch.float32)

    def answer(points: np.ndarray, labels: np.ndarray) -> tuple[Float[np.ndarray, "h w"], float]:
        where, kinds = torch.from_numpy(points).float()[None], torch.from_numpy(labels)[None]
        prompts = to_prompts(model.geometry, size, points=where, labels=kinds)
        with torch.inference_mode():
            decoded = model.decode(embedding, prompts)
        return model.geometry.to_picture(decoded.logits[0, 0].numpy(), size), float(decoded.scores[0, 0])

    return answer


def clicked(ask: Ask, truth: Mask, count: int) -> list[Mask]:
    """Masks after 1 to `count` clicks, each at the centre of the largest error so far."""
    points, labels, masks = [], [], []
    mask = np.zeros_like(truth)
    for _ in range(count):
        at = centre(truth & ~mask), centre(mask & ~truth)
        positive = at[0][1] >= at[1][1]
        points.append(at[0 if positive else 1][0])
        labels.append(int(positive))
        mask = ask(np.array(points), np.array(labels))
        masks.append(mask)
    return masks


def box_mask(truth: Mask) -> Mask:
    """The whole bounding box."""
    (left, top), (right, bottom) = corners(truth)
    box = np.zeros_like(truth)
    box[top : bottom + 1, left : right + 1] = True
    return box


def grabcut(picture: Picture, box: Mask) -> Mask:
    """OpenCV's GrabCut on a picture of at most `GRABCUT_SIDE` px; the box itself where it fails or finds nothing."""
    height, width = box.shape
    scale = min(1.0, GRABCUT_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(box.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    state = np.where(inside > 0, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    inner, outer = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(small[..., ::-1].copy(), state, NO_RECTANGLE, inner, outer, 5, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # no pixel outside, or too few for its colour models
        return box
    found = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    if not found.any():
        return box
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST) > 0)


def iou(one: Mask, other: Mask) -> float:
    return float(ratio(np.count_nonzero(one & other), np.count_nonzero(one | other)))
