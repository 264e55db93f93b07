"""What a combination is fitted on: the entropies and the error at every pixel of the calibration images."""

from collections.abc import Iterator
from dataclasses import replace

import torch
import torch.nn.functional as F
from tqdm import tqdm

from uncertsam.data.format import Split
from uncertsam.sam.model import PromptableModel
from uncertsam.sam.store import Embeddings
from uncertsam.uncertainty.core.algebra import objects_at_once
from uncertsam.uncertainty.core.cells import inputs_of
from uncertsam.uncertainty.joint.combination import Pair
from uncertsam.uncertainty.joint.ensembles import JointParams, pictures, spread
from uncertsam.uncertainty.posterior.state import LaplaceState


def pairs(
    model: PromptableModel,
    state: LaplaceState,
    params: JointParams,
    store: Embeddings,
    split: Split,
    dataset: str,
    seed: int,
) -> Iterator[Pair]:
    """One image at a time, at the resolution of the logits; truths are resized to it by the nearest pixel."""
    for image in tqdm(split, "fit", disable=None):
        with torch.inference_mode():
            inputs = inputs_of(model, store, split, dataset, seed, image)
            embeddings, step = pictures(inputs, params), objects_at_once(model)
            portions = [
                replace(inputs, prompts=inputs.prompts[i : i + step]) for i in range(0, len(inputs.prompts), step)
            ]
            found = [spread(portion, embeddings, state, params) for portion in portions]
            logits = torch.cat([each.logits for each in found])
            masks = torch.from_numpy(split.masks(image.id))[:, None].to(logits)
            truth = F.interpolate(masks, logits.shape[-2:], mode="nearest")[:, 0]
            yield torch.cat([each.entropies for each in found], 1), (torch.sigmoid(logits) - truth).abs()
