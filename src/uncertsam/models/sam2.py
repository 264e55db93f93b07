"""SAM 2 and what has its modules: one wrapper drives Meta's networks and the embedded ones."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from uncertsam.models.geometry import Geometry
from uncertsam.models.promptable import Decoded, Embedding, MaskHead, PromptableModel, contract
from uncertsam.models.prompts import Prompts

CONFIGS = {  # name -> the configuration that ships inside sam2
    "sam2_tiny": "configs/sam2/sam2_hiera_t.yaml",
    "sam2_small": "configs/sam2/sam2_hiera_s.yaml",
    "sam2_base_plus": "configs/sam2/sam2_hiera_b+.yaml",
    "sam2_large": "configs/sam2/sam2_hiera_l.yaml",
    "sam2.1_tiny": "configs/sam2.1/sam2.1_hiera_t.yaml",
    "sam2.1_small": "configs/sam2.1/sam2.1_hiera_s.yaml",
    "sam2.1_base_plus": "configs/sam2.1/sam2.1_hiera_b+.yaml",
    "sam2.1_large": "configs/sam2.1/sam2.1_hiera_l.yaml",
}


def names() -> tuple[str, ...]:
    """Meta's models."""
    return tuple(CONFIGS)


def network(name: str, facts: Mapping[str, Any]) -> nn.Module:
    """The architecture of a named model with fresh weights. facts: image_size, where it is not the usual 1024 px."""
    from sam2.build_sam import build_sam2

    other = [f"++model.image_size={facts['image_size']}"] if "image_size" in facts else []
    built: nn.Module = build_sam2(CONFIGS[name], None, "cpu", hydra_overrides_extra=other, apply_postprocessing=False)
    return built


class Sam2Model(PromptableModel):
    """A SAM 2 network, which stretches pictures; its embedding is the coarse map and two finer skips, finest first.

    network: `sam2`'s SAM2Base or our NanoSam: anything with forward_image, sam_prompt_encoder, sam_mask_decoder.
    """

    def __init__(self, network: Any, name: str, digest: str, weights: Path | None = None) -> None:
        self.network, self.name, self.digest, self.weights = network, name, digest, weights
        self.geometry = Geometry(network.image_size, network.sam_prompt_encoder.mask_input_size[0])

    @property
    def device(self) -> torch.device:
        return next(iter(self.network.parameters())).device

    @property
    def width(self) -> int:
        return int(self.network.sam_prompt_encoder.embed_dim)

    @property
    def last_layers(self) -> tuple[nn.Linear, ...]:
        layer = self.network.sam_mask_decoder.output_hypernetworks_mlps[0].layers[-1]
        assert isinstance(layer, nn.Linear)
        return (layer,)

    @property
    def no_mask(self) -> Float[Tensor, " c"]:
        vector: Tensor = self.network.sam_prompt_encoder.no_mask_embed.weight[0]
        return vector

    def encode(self, images: Float[Tensor, "n 3 s s"]) -> Embedding:
        maps = self.network.forward_image(images)["backbone_fpn"]
        coarse = maps[2]
        if self.network.directly_add_no_mem_embed:  # SAM 2 marks "no video memory" with a learned vector
            coarse = coarse + self.network.no_mem_embed.reshape(1, -1, 1, 1)
        return Embedding((coarse.float(), maps[0].float(), maps[1].float()))

    def decode(self, embedding: Embedding, prompts: Prompts, dense: Float[Tensor, "n c h w"] | None = None) -> Decoded:
        sparse, own = self.network.sam_prompt_encoder(
            points=(prompts.points, prompts.labels), boxes=None, masks=prompts.masks if dense is None else None
        )
        image, *skips = embedding.maps
        tokens, source = _transform(self.network, image, sparse, own if dense is None else dense)
        features = _upscale(self.network.sam_mask_decoder, source, skips)
        return _read_out(self.network.sam_mask_decoder, tokens, source, features)

    def mask_embedding(self, logits: Float[Tensor, "n s s"]) -> Float[Tensor, "n c h w"]:
        dense: Tensor = self.network.sam_prompt_encoder.mask_downscaling(logits[:, None])
        return dense

    def trainable_copy(self) -> "tuple[Sam2Model, nn.Module]":
        """A copy, and its trainable part, mask decoder and prompt encoder; all else in it is frozen.

        So are the decoder's projections of the fine maps: they act before the embedding, which may be stored.
        """
        network = copy.deepcopy(self.network).requires_grad_(False)
        decoder, prompts = network.sam_mask_decoder, network.sam_prompt_encoder
        part = nn.ModuleDict({"decoder": decoder, "prompts": prompts}).requires_grad_(True)
        for projection in (decoder.conv_s0, decoder.conv_s1):
            projection.requires_grad_(False)
        return Sam2Model(network, self.name, self.digest), part

    def with_object(self, embedding: Embedding, masks: Float[Tensor, "n s s"]) -> Float[Tensor, "n c h w"]:
        """The coarse map of one image told of each of n masks, 0 and 1 at the input's size, by the memory encoder.

        By the prompt encoder where the network has no memory.
        """
        coarse, certain = embedding.maps[0], 20 * masks[:, None] - 10
        if not hasattr(self.network, "memory_encoder"):
            side = self.geometry.mask_size
            return coarse + self.mask_embedding(F.interpolate(certain, (side, side), mode="nearest")[:, 0])
        memory = self.network.memory_encoder
        fused: Tensor = memory.fuser(memory.pix_feat_proj(coarse) + memory.mask_downsampler(certain))
        return fused

    def freeze(self) -> None:
        self.network.requires_grad_(False)

    def holds(self, network: nn.Module) -> bool:
        """Whether another network has the very same weights."""
        one, other = network.state_dict(), self.network.state_dict()
        return one.keys() == other.keys() and all(torch.equal(one[key].cpu(), other[key]) for key in one)


Model = Sam2Model


def encoded_by(predictor: Any) -> tuple[tuple[int, int], Embedding] | None:
    """Size and features of the picture that a `SAM2ImagePredictor` has encoded; None without one, or for a batch."""
    features = getattr(predictor, "_features", None)
    if not getattr(predictor, "_is_image_set", False) or predictor._is_batch or features is None:
        return None
    height, width = map(int, predictor._orig_hw[0])
    maps = features["image_embed"], *features["high_res_feats"]
    return (height, width), Embedding(tuple(each.float() for each in maps))


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
    decoder: Any, tokens: Float[Tensor, "n q c"], source: Float[Tensor, "n c hh ww"], features: Float[Tensor, "n d h w"]
) -> Decoded:
    masks, networks = tokens[:, 2 : 2 + decoder.num_mask_tokens], decoder.output_hypernetworks_mlps
    hidden = torch.stack([_all_but_last(mlp, masks[:, i]) for i, mlp in enumerate(networks)], 1)
    last = [mlp.layers[-1] for mlp in networks]
    head = MaskHead([layer.weight for layer in last], [layer.bias for layer in last], hidden, features)
    outputs = torch.stack([head.output(token) for token in range(len(last))], 1)
    return Decoded(
        logits=contract([outputs], [features]),
        scores=decoder.iou_prediction_head(tokens[:, 1]),
        object_logit=decoder.pred_obj_score_head(tokens[:, 0])[:, 0],
        tokens=masks,
        iou_token=tokens[:, 1],
        source=source,
        heads=(head,),
    )


def _all_but_last(mlp: Any, x: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
    for layer in mlp.layers[:-1]:
        x = torch.relu(layer(x))
    return x
