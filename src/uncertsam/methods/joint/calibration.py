"""What a combination is fitted on: the entropies and the error at every pixel of the calibration images."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from tqdm import tqdm

from uncertsam.inference.algebra import portions
from uncertsam.inference.predictions import PromptSet, boxes_of
from uncertsam.methods.joint.combination import Pair
from uncertsam.methods.joint.ensembles import JointParams, pictures, spread
from uncertsam.methods.posterior.state import LaplaceState


def pairs(questions: PromptSet, state: LaplaceState, params: JointParams) -> Iterator[Pair]:
    """One image at a time, at the resolution of the logits; truths are resized to it by the nearest pixel."""
    for image in tqdm(questions.split, "fit", disable=None):
        with torch.inference_mode():
            inputs = questions.of(image, boxes_of(questions.split, image))
            embeddings = pictures(inputs, params)
            found = [spread(portion, embeddings, state, params) for portion in portions(inputs)]
            maps = torch.cat([torch.cat([each.logits[None], each.entropies]) for each in found], 1)
            side = maps.shape[-1]
            shown = inputs.model.geometry.to_square(maps, (image.height, image.width), side)
            masks = torch.from_numpy(questions.split.masks(image.id))[:, None].to(shown)
            truth = F.interpolate(masks, (side, side), mode="nearest")[:, 0]
            yield shown[1:], (torch.sigmoid(shown[0]) - truth).abs()
