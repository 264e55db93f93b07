"""Encode once, decode many: one small class around a SAM 2 network that shows what its last layer sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.models.prompts import Prompts

LAST_LAYER = "sam_mask_decoder.output_hypernetworks_mlps.0.layers.2"  # the layer the paper makes Bayesian


@dataclass(frozen=True)
class Embedding:
    """Image features: the coarse map the transformer reads and two finer skips (finest first)."""

    image: Float[Tensor, "n c h w"]
    skips: tuple[Tensor, Tensor]

    def __len__(self) -> int:
        return self.image.shape[0]

    def __getitem__(self, index: Any) -> "Embedding":
        return Embedding(self.image[index], (self.skips[0][index], self.skips[1][index]))

    def to(self, device: torch.device, dtype: torch.dtype) -> "Embedding":
        first, second = self.skips
        return Embedding(self.image.to(device, dtype), (first.to(device, dtype), second.to(device, dtype)))


@dataclass(frozen=True)
class Decoded:
    """All that the mask decoder knows of each prompt; t tokens, token 0 the single-mask one.

    logits: masks at a quarter of the input size, `weights @ features`. iou: predicted quality in [0, 1].
    object_score: logit that there is an object. hidden: input of the last linear layer of each token's hypernetwork.
    weights: its output. features: the upscaled image features. tokens: the mask tokens after the transformer. source:
    the image after it, at the embedding's resolution.
    """

    logits: Float[Tensor, "n t h w"]
    iou: Float[Tensor, "n t"]
    object_score: Float[Tensor, " n"]
    hidden: Float[Tensor, "n t d"]
    weights: Float[Tensor, "n t c"]
    features: Float[Tensor, "n c h w"]
    tokens: Float[Tensor, "n t e"]
    source: Float[Tensor, "n e hh ww"]


class PromptableModel:
    """A SAM 2 network with its square input size; every tensor is float32 from the embedding on.

    network: `sam2`'s SAM2Base or our NanoSam: anything with forward_image, sam_prompt_encoder, sam_mask_decoder.
    name: the registry's name. digest: SHA-256 of the weights file, by which fitted parts recognise their model.
    weights: that file, where it is known.
    """

    def __init__(self, network: Any, name: str, digest: str, weights: Path | None = None) -> None:
        self.network, self.name, self.digest, self.weights = network, name, digest, weights
        self.image_size: int = network.image_size

    @property
    def device(self) -> torch.device:
        return next(iter(self.network.parameters())).device

    @property
    def last_layer(self) -> nn.Linear:
        """The linear layer whose output is contracted with the features into token 0's logits."""
        layer = self.network.get_submodule(LAST_LAYER)
        assert isinstance(layer, nn.Linear)
        return layer

    def encode(self, images: Float[Tensor, "n 3 s s"]) -> Embedding:
        """Normalised square images to their features. Runs in the caller's autocast; the result is float32."""
        maps = self.network.forward_image(images)["backbone_fpn"]
        coarse = maps[2]
        if self.network.directly_add_no_mem_embed:  # SAM 2 marks "no video memory" with a learned vector
            coarse = coarse + self.network.no_mem_embed.reshape(1, -1, 1, 1)
        return Embedding(coarse.float(), (maps[0].float(), maps[1].float()))

    def decode(self, embedding: Embedding, prompts: Prompts, dense: Float[Tensor, "n c h w"] | None = None) -> Decoded:
        """One answer per prompt; `embedding` holds one image for all of them, or one per prompt.

        dense: takes the place of the prompt encoder's dense embedding, which then ignores the prompts' masks.
        """
        sparse, own = self.network.sam_prompt_encoder(
            points=(prompts.points, prompts.labels), boxes=None, masks=prompts.masks if dense is None else None
        )
        tokens, image = _transform(self.network, embedding.image, sparse, own if dense is None else dense)
        features = _upscale(self.network.sam_mask_decoder, image, embedding.skips)
        return _read_out(self.network.sam_mask_decoder, tokens, image, features)


def _transform(
    network: Any, image: Float[Tensor, "m c h w"], sparse: Float[Tensor, "n k c"], dense: Float[Tensor, "n c h w"]
) -> tuple[Float[Tensor, "n q c"], Float[Tensor, "n c h w"]]:
    """The two-way transformer over [object score, IoU, mask tokens, prompts] and the image."""
    decoder = network.sam_mask_decoder
    outputs = [decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight]
    tokens = torch.cat([torch.cat(outputs).expand(len(sparse), -1, -1), sparse], 1)
    source = image + dense
    position = network.sam_prompt_encoder.get_dense_pe().expand(len(sparse), -1, -1, -1)
    tokens, flat = decoder.transformer(source, position, tokens)
    return tokens, flat.transpose(1, 2).reshape(source.shape)


def _upscale(decoder: Any, image: Float[Tensor, "n c h w"], skips: Sequence[Tensor]) -> Float[Tensor, "n d hh ww"]:
    first, norm, first_act, second, second_act = decoder.output_upscaling
    middle = first_act(norm(first(image) + skips[1]))
    features: Tensor = second_act(second(middle) + skips[0])
    return features


def _read_out(
    decoder: Any, tokens: Float[Tensor, "n q c"], image: Float[Tensor, "n c hh ww"], features: Float[Tensor, "n d h w"]
) -> Decoded:
    count = decoder.num_mask_tokens
    hidden = torch.stack(
        [_all_but_last(mlp, tokens[:, 2 + i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], 1
    )
    weights = torch.stack([mlp.layers[-1](hidden[:, i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], 1)
    logits = (weights @ features.flatten(2)).reshape(len(tokens), count, *features.shape[2:])
    score = decoder.pred_obj_score_head(tokens[:, 0])[:, 0]
    iou, masks = decoder.iou_prediction_head(tokens[:, 1]), tokens[:, 2 : 2 + count]
    return Decoded(logits, iou, score, hidden, weights, features, masks, image)


def _all_but_last(mlp: Any, x: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
    for layer in mlp.layers[:-1]:
        x = torch.relu(layer(x))
    return x
