import pytest
import torch
from pydantic import ValidationError

from uncertsam.models.nano import NanoSam
from uncertsam.models.promptable import Decoded
from uncertsam.models.prompts import from_boxes
from uncertsam.models.sam2 import Sam2Model
from uncertsam.models.select import TokenPolicy, gate, select


def random_decoded(count: int = 64, seed: int = 0) -> Decoded:
    """Masks from crisp to undecided, some empty, so that both outcomes of the stability rule occur."""
    draw = torch.Generator().manual_seed(seed)
    scale = torch.logspace(-1.5, 2, count)[:, None, None, None]
    logits = torch.randn(count, 4, 6, 5, generator=draw) * scale
    logits[::9, 0] = -1.0
    iou, score = torch.rand(count, 4, generator=draw), torch.randn(count, generator=draw)
    tokens = torch.zeros(count, 4, 3)
    return Decoded(logits, iou, score, tokens, tokens[:, 0], torch.zeros(count, 3, 6, 5), ())


def test_dynamic_choice_equals_that_of_sam2() -> None:
    decoded, decoder = random_decoded(), NanoSam().sam_mask_decoder
    logits, iou = decoder._dynamic_multimask_via_stability(decoded.logits, decoded.scores)
    ours = select(decoded, TokenPolicy(token="dynamic", gate=False))
    assert torch.equal(ours.logits, logits[:, 0])
    assert torch.equal(ours.iou, iou[:, 0])
    assert set(ours.token.tolist()) == {0, 1, 2, 3}


def test_decode_and_select_equal_a_forward_pass_of_sam2s_decoder() -> None:
    torch.manual_seed(0)
    network = NanoSam().eval()
    model = Sam2Model(network, "random", "")
    prompts = from_boxes(torch.tensor([[10.0, 20, 90, 200], [0, 0, 255, 255], [100, 100, 120, 130]]))
    with torch.inference_mode():
        embedding = model.encode(torch.randn(1, 3, 256, 256))
        ours = select(model.decode(embedding, prompts), TokenPolicy(token="dynamic", gate=False))
        sparse, dense = network.sam_prompt_encoder(points=(prompts.points, prompts.labels), boxes=None, masks=None)
        position = network.sam_prompt_encoder.get_dense_pe()
        image, *skips = embedding.maps
        logits, iou, _, _ = network.sam_mask_decoder(image, position, sparse, dense, False, True, skips)
    torch.testing.assert_close(ours.logits, logits[:, 0])
    torch.testing.assert_close(ours.iou, iou[:, 0])


def test_token_zero_is_token_zero_however_unstable() -> None:
    decoded = random_decoded()
    selected = select(decoded, TokenPolicy(token=0, gate=False))
    assert torch.equal(selected.logits, decoded.logits[:, 0])
    assert torch.equal(selected.iou, decoded.scores[:, 0])


def test_gate_silences_exactly_the_objects_whose_score_is_not_positive() -> None:
    score = torch.tensor([1e-6, 0.0, -3.0])
    logits = torch.ones(2, 3, 4, 4)
    gated = gate(logits, score)
    assert torch.equal(gated[:, 0], logits[:, 0])
    assert (gated[:, 1:] == -1024).all()


def test_gate_keeps_token_and_quality() -> None:
    decoded = random_decoded()
    gated, open_ = (select(decoded, TokenPolicy(token="dynamic", gate=g)) for g in (True, False))
    assert torch.equal(gated.token, open_.token) and torch.equal(gated.iou, open_.iou)


@pytest.mark.parametrize("wrong", [{"token": 1}, {"token": "best"}, {"stability_delta": 0}, {"tokens": 0}])
def test_unknown_choices_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TokenPolicy.model_validate(wrong)
