"""The wrapper decodes what sam2 decodes, and shows what its last layer sees."""

import pytest
import torch

from uncertsam.models.checkpoints import build_network
from uncertsam.models.promptable import Embedding, PromptableModel
from uncertsam.models.prompts import Prompts, from_boxes
from uncertsam.models.store import encode


@pytest.fixture(scope="module")
def model() -> PromptableModel:
    torch.manual_seed(0)
    return PromptableModel(build_network("sam2_nano").eval(), "sam2_nano", "none")


def some_prompts(count: int, size: int) -> Prompts:
    corner = torch.rand(count, 2, generator=torch.Generator().manual_seed(1)) * size / 2
    return from_boxes(torch.cat([corner, corner + size / 3], 1))


def some_embedding(model: PromptableModel) -> Embedding:
    size = model.image_size
    return encode(model, torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2)), torch.float32)


@torch.inference_mode()
def test_decode_equals_sam2s_own_decoder(model):
    embedding, prompts = some_embedding(model), some_prompts(3, model.image_size)
    sparse, dense = model.network.sam_prompt_encoder((prompts.points, prompts.labels), None, None)
    logits, iou, _, score = model.network.sam_mask_decoder.predict_masks(
        image_embeddings=embedding.image,
        image_pe=model.network.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=True,
        high_res_features=list(embedding.skips),
    )
    decoded = model.decode(embedding, prompts)
    torch.testing.assert_close(decoded.logits, logits)
    torch.testing.assert_close(decoded.iou, iou)
    torch.testing.assert_close(decoded.object_score, score[:, 0])


@torch.inference_mode()
def test_logits_are_the_last_layers_output_times_the_features(model):
    decoded = model.decode(some_embedding(model), some_prompts(2, model.image_size))
    rebuilt = torch.einsum("ntc,nchw->nthw", decoded.weights, decoded.features)
    torch.testing.assert_close(decoded.logits, rebuilt, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.last_layer(decoded.hidden[:, 0]), decoded.weights[:, 0])


@torch.inference_mode()
def test_prompts_of_one_image_do_not_see_each_other(model):
    embedding, prompts = some_embedding(model), some_prompts(4, model.image_size)
    together = model.decode(embedding, prompts).logits
    alone = torch.cat([model.decode(embedding, prompts[i : i + 1]).logits for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_sam2_1_tiny_encodes_and_decodes_like_sam2s_image_predictor():
    import numpy as np
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    from uncertsam.models.geometry import scale_boxes, to_input

    torch.manual_seed(0)
    network = build_network("sam2.1_tiny").eval()
    model = PromptableModel(network, "sam2.1_tiny", "none")
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    predictor = SAM2ImagePredictor(network)
    predictor.set_image(picture)
    box = torch.tensor([[5.0, 7.0, 40.0, 30.0]])
    theirs, quality, _ = predictor.predict(box=box.numpy(), multimask_output=True, return_logits=True)
    embedding = encode(model, to_input(picture, model.image_size)[None], torch.float32)
    expected = predictor._features["image_embed"]  # resized in floating point; ours rounds to 8 bits as the paper's
    assert (embedding.image - expected).norm() < 0.01 * expected.norm()
    decoded = model.decode(embedding, from_boxes(scale_boxes(box, 48, 64, model.image_size)))
    torch.testing.assert_close(decoded.iou[0, 1:], torch.from_numpy(quality), rtol=1e-2, atol=1e-2)
    assert theirs.shape == (3, 48, 64)


def test_the_embedded_network_has_at_most_five_million_parameters(model):
    assert sum(p.numel() for p in model.network.parameters()) <= 5_000_000
