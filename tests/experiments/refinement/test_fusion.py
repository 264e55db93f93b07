"""The module: its size, its three starts, and what it refuses to be loaded into."""

from dataclasses import replace

import pytest
import torch
from small_models import same_pass

from uncertsam.base.errors import UserError
from uncertsam.experiments.refinement._refine import Refiner, refine, second_pass
from uncertsam.experiments.refinement.first_pass import FromSam
from uncertsam.experiments.refinement.fusion import EVERY, Fusion, build_fusion, fuse, load, save
from uncertsam.inference.algebra import Plain, answer
from uncertsam.metrics.uncertainty import PREDICTIVE_ENTROPY
from uncertsam.models.sam2 import Sam2Model
from uncertsam.models.select import TokenPolicy


def count(module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_at_the_width_of_sam_2_the_parameters_are_the_papers():
    fusion = Fusion(256)
    assert (count(fusion.branch), count(fusion.mix), count(fusion)) == (4_684, 131_328, 136_012)


@pytest.mark.parametrize("side", [64, 256])
def test_four_pixels_of_a_map_become_one_cell_of_the_embedding(side):
    fusion = Fusion(8)
    cells = torch.zeros(2, 8, side // 4, side // 4)
    assert fusion(cells, torch.zeros(2, 1, side, side)).shape == cells.shape


@pytest.mark.parametrize("kind", ["entropy", "ones"])
@pytest.mark.parametrize("token", [0, "dynamic"])
def test_the_identity_start_gives_the_unrefined_logits(model, ask, masks, kind, token):
    policy, inputs = TokenPolicy(token=token, gate=False), ask(masks)
    refiner = Refiner(FromSam(policy), kind, build_fusion(model, "identity", 0), policy)
    unrefined = answer(Plain(policy, PREDICTIVE_ENTROPY), inputs)
    for refined in refine(refiner, inputs, steps=3):
        assert same_pass(refined.logits, unrefined.logits)
        assert same_pass(refined.uncertainty, unrefined.uncertainty)
        assert same_pass(refined.iou, unrefined.iou)


def test_the_mask_prompt_start_is_sams_own_mask_prompt_and_not_the_unrefined_mask(model, ask, masks):
    inputs = ask(masks)
    with torch.no_grad():
        first = inputs.decoded.logits[:, 0]
        told = replace(inputs.prompts, masks=first[:, None])
        stock = model.decode(inputs.embedding, told).logits
        ours = second_pass(build_fusion(model, "mask_prompt", 0), "entropy", inputs, first).logits
    torch.testing.assert_close(ours, stock, rtol=1e-4, atol=1e-3)
    assert not torch.allclose(ours[:, 0], first, atol=0.1)


def test_the_faithful_start_is_pytorchs_and_a_function_of_the_seed(model):
    one, same, other = (build_fusion(model, "faithful", seed).mix.weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert one.std().item() == pytest.approx(1 / (3 * one.shape[1]) ** 0.5, rel=0.05)  # uniform in +-1 / sqrt(inputs)


def test_building_a_module_leaves_torchs_own_randomness_alone(model):
    before = torch.get_rng_state()
    build_fusion(model, "faithful", 3)
    assert torch.equal(before, torch.get_rng_state())


def test_an_image_fuses_mask_and_uncertainty_in_this_order(model, ask, masks):
    """With weights on the first half only, the uncertainty changes nothing; on the second half, the mask nothing."""
    fusion, logits = build_fusion(model, "faithful", 0), torch.randn(2, 64, 64)
    half = fusion.mix.in_channels // 2
    with torch.no_grad():
        whole = fusion.mix.weight.clone()
        fusion.mix.weight[:, half:] = 0
        assert same_pass(fuse(model, fusion, logits, logits), fuse(model, fusion, logits, logits + 1))
        fusion.mix.weight.copy_(whole)
        fusion.mix.weight[:, :half] = 0
        assert same_pass(fuse(model, fusion, logits, logits), fuse(model, fusion, logits + 1, logits))


def test_a_given_dense_embedding_takes_the_place_of_the_masks(model, ask, masks):
    inputs = ask(masks)
    dense = torch.randn(3, 128, 16, 16)
    with torch.no_grad():
        masked = replace(inputs.prompts, masks=torch.randn(3, 1, 64, 64))
        one = model.decode(inputs.embedding, inputs.prompts, dense)
        assert same_pass(model.decode(inputs.embedding, masked, dense).logits, one.logits)


@pytest.fixture
def saved(model, tmp_path):
    folds = {name: build_fusion(model, "faithful", i).state_dict() for i, name in enumerate(["reef", EVERY])}
    save(tmp_path / "la", "la", model, {"init": "faithful"}, folds, {"reef": {}, EVERY: {}})
    return tmp_path / "la"


def test_saved_modules_load_back_exactly_and_each_dataset_gets_the_one_that_did_not_see_it(model, saved):
    state = load(saved, "la", model)
    reef, others = (build_fusion(model, "faithful", i) for i in (0, 1))
    assert torch.equal(state.unseen("reef").mix.weight, reef.mix.weight)
    assert torch.equal(state.unseen("shadow").mix.weight, others.mix.weight)
    assert torch.equal(state.unseen("shadow").branch[0].weight, others.branch[0].weight)
    assert state.params == {"init": "faithful"}


def test_a_dataset_that_every_module_has_seen_is_refused(model, tmp_path):
    save(tmp_path / "la", "la", model, {}, {"reef": build_fusion(model, "identity", 0).state_dict()}, {"reef": {}})
    with pytest.raises(UserError, match=r"without shadow.*train_fusion"):
        load(tmp_path / "la", "la", model).unseen("shadow")


def test_the_weights_of_another_width_are_refused(model, saved):
    wide = model.network.sam_prompt_encoder.embed_dim
    try:
        model.network.sam_prompt_encoder.embed_dim = 256
        with pytest.raises(UserError, match=r"branch.* has the shape \[128.*not \[256"):
            load(saved, "la", model)
    finally:
        model.network.sam_prompt_encoder.embed_dim = wide


def test_another_arm_and_another_model_are_refused(model, saved):
    with pytest.raises(UserError, match="holds the arm la, not la_ones"):
        load(saved, "la_ones", model)
    with pytest.raises(UserError, match=r"fitted on random_nano .*the model is other .*train_fusion"):
        load(saved, "la", Sam2Model(model.network, "other", "1" * 64))
