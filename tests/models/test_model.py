"""The wrapper decodes what sam2 decodes, and shows what its last layer sees."""

import pytest
import torch

from uncertsam.models.checkpoints import build_network
from uncertsam.models.promptable import Embedding
from uncertsam.models.prompts import Prompts, from_boxes, to_prompts
from uncertsam.models.sam2 import Sam2Model
from uncertsam.models.store import encode


@pytest.fixture(scope="module")
def model() -> Sam2Model:
    torch.manual_seed(0)
    return Sam2Model(build_network("sam2_nano").eval(), "sam2_nano", "none")


def some_prompts(count: int, size: int) -> Prompts:
    corner = torch.rand(count, 2, generator=torch.Generator().manual_seed(1)) * size / 2
    return from_boxes(torch.cat([corner, corner + size / 3], 1))


def some_embedding(model: Sam2Model) -> Embedding:
    size = model.image_size
    return encode(model, torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2)), torch.float32)


@torch.inference_mode()
def test_decode_equals_sam2s_own_decoder(model):
    embedding, prompts = some_embedding(model), some_prompts(3, model.image_size)
    sparse, dense = model.network.sam_prompt_encoder((prompts.points, prompts.labels), None, None)
    logits, iou, _, score = model.network.sam_mask_decoder.predict_masks(
        image_embeddings=embedding.maps[0],
        image_pe=model.network.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=True,
        high_res_features=[*embedding.maps[1:]],
    )
    decoded = model.decode(embedding, prompts)
    torch.testing.assert_close(decoded.logits, logits)
    torch.testing.assert_close(decoded.scores, iou)
    torch.testing.assert_close(decoded.object_logit, score[:, 0])


@torch.inference_mode()
def test_sam2_1_tiny_encodes_and_decodes_like_sam2s_image_predictor():
    import numpy as np
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    torch.manual_seed(0)
    network = build_network("sam2.1_tiny").eval()
    model = Sam2Model(network, "sam2.1_tiny", "none")
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    predictor = SAM2ImagePredictor(network)
    predictor.set_image(picture)
    box = torch.tensor([[5.0, 7.0, 40.0, 30.0]])
    theirs, quality, _ = predictor.predict(box=box.numpy(), multimask_output=True, return_logits=True)
    embedding = encode(model, model.geometry.to_input(picture)[None], torch.float32)
    expected = predictor._features["image_embed"]  # resized in floating point; ours rounds to 8 bits as the paper's
    assert (embedding.maps[0] - expected).norm() < 0.01 * expected.norm()
    decoded = model.decode(embedding, to_prompts(model.geometry, (48, 64), box))
    torch.testing.assert_close(decoded.scores[0, 1:], torch.from_numpy(quality), rtol=1e-2, atol=1e-2)
    assert theirs.shape == (3, 48, 64)


def test_the_embedded_network_has_at_most_five_million_parameters(model):
    assert sum(p.numel() for p in model.network.parameters()) <= 5_000_000
