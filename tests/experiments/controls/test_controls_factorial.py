"""The factorial's cells are the methods that they claim to be, and bfloat16 does exactly what it is said to do."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from small_models import same_pass

from uncertsam.data.format import Annotation, ImageRecord, encode_rle, read_split, write_split
from uncertsam.experiments.controls._factorial import COARSE, coarse_logit, factorial
from uncertsam.experiments.controls._measure import all_controls, answered, mean_nll, measured
from uncertsam.experiments.controls.design import CELLS, FACTORS, LA, SAM, cell_name
from uncertsam.inference.algebra import Inputs, Samples, mean_logit
from uncertsam.inference.measures import entropy
from uncertsam.inference.predictions import PromptSet
from uncertsam.methods import sam
from uncertsam.methods.laplace import Laplace
from uncertsam.methods.laplace_closed import LaplaceClosed
from uncertsam.metrics.masks import METRICS
from uncertsam.models.select import TokenPolicy, select
from uncertsam.models.store import StreamedEmbeddings
from uncertsam.statistics.schema import TOLERANCE
from uncertsam.statistics.table import check_table

N = 40


def seen(inputs: Inputs) -> Inputs:
    """The same inputs with objects that the gate empties, and both stable and unstable masks."""
    decoded, found = inputs.decoded, replace(inputs)
    logits = decoded.logits.clone()
    logits[:2, 0] = torch.where(logits[:2, 0] > 0, 9.0, -9.0)  # stable
    logits[2:, 0] *= 1e-3  # unstable
    score = torch.tensor([3.0, -3.0, 3.0, -3.0, 3.0])
    found.__dict__["decoded"] = replace(decoded, logits=logits, object_logit=score)
    return found


@pytest.fixture(scope="module")
def rigged(inputs) -> Inputs:
    found = seen(inputs)
    token = select(found.decoded, TokenPolicy(token="dynamic", gate=False)).token
    assert (token[:2] == 0).all() and (token[2:] > 0).all()
    return found


@pytest.fixture(scope="module")
def cells(rigged, state) -> dict[str, torch.Tensor]:
    return factorial(rigged, Laplace(state, N, False))


def test_there_are_sixteen_cells_of_four_factors_from_sam_to_la():
    assert len(set(CELLS.values())) == 2 ** len(FACTORS) == 16
    assert SAM == "dynamic_gate_fp32_map" and LA == "token0_nogate_bf16_laplace"
    with pytest.raises(ValueError, match="tokn"):
        cell_name(["tokn"])


@pytest.mark.parametrize(("token", "changed"), [(0, ["token"]), ("dynamic", [])])
@pytest.mark.parametrize("gated", [True, False])
def test_a_map_cell_is_the_method_sam_with_that_token_and_gate(cells, rigged, model, token, changed, gated):
    method = sam.build(sam.Params(token=token, gate=gated), model, None)
    cell = cell_name([*changed] if gated else [*changed, "gate"])
    assert same_pass(cells[cell], mean_logit(method(rigged)))


@pytest.mark.parametrize("gated", [True, False])
def test_the_laplace_cell_is_the_method_laplace_with_its_draws(cells, rigged, state, gated):
    cell = cell_name(["token", "bayes"] if gated else ["token", "bayes", "gate"])
    assert same_pass(cells[cell], mean_logit(Laplace(state, N, gated)(rigged)))


@pytest.mark.parametrize("precision", [[], ["precision"]])
def test_a_mask_of_another_token_has_no_posterior(cells, precision):
    plain, bayes = cells[cell_name(["gate", *precision])], cells[cell_name(["gate", "bayes", *precision])]
    alone = cells[cell_name(["gate", "bayes", "token", *precision])]
    assert same_pass(bayes[:2], alone[:2]) and not same_pass(bayes[:2], plain[:2])
    assert same_pass(bayes[2:], plain[2:]) and not same_pass(alone[2:], plain[2:])


def test_the_gate_empties_exactly_the_objects_whose_score_is_not_positive(cells):
    for changed, name in CELLS.items():
        if "gate" not in changed:
            bare = cells[cell_name(changed | {"gate"})]
            assert same_pass(cells[name][[0, 2, 4]], bare[[0, 2, 4]])
            assert cells[name][[1, 3]].unique().numel() == 1 and (cells[name][[1, 3]] < 0).all()


def test_in_bfloat16_u_has_a_floor_and_the_logit_a_bound(cells):
    floor = -COARSE * math.log(COARSE) - (1 - COARSE) * math.log(1 - COARSE)
    assert floor == pytest.approx(0.0560, abs=5e-5)
    for changed, name in CELLS.items():
        if "precision" in changed:
            assert cells[name].abs().max() <= math.log(99) + 1e-5
            assert entropy(cells[name]).min() >= floor - 1e-6
        else:
            assert cells[name].abs().max() > 6


def test_bfloat16_rounds_logit_probability_and_mean_and_nothing_after():
    logits = torch.tensor([-3.1234, 0.0, 0.3333, 2.7])
    samples = Samples(lambda: [logits[None, None, None]], torch.zeros(1), torch.zeros(1))
    rounded = torch.sigmoid(logits.bfloat16()).float()
    assert torch.equal(coarse_logit(samples)[0, 0], torch.logit(rounded))
    assert coarse_logit(samples).dtype == torch.float32


def test_a_mean_in_bfloat16_does_not_depend_on_the_portions_of_the_samples():
    logits = torch.randn(64, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = Samples(lambda: [logits], torch.zeros(2), torch.zeros(2))
    parts = Samples(lambda: torch.split(logits, 7), torch.zeros(2), torch.zeros(2))
    # summed in another order, a mean may fall on the other side of a step
    step = (torch.sigmoid(coarse_logit(whole)) - torch.sigmoid(coarse_logit(parts))).abs()
    assert step.max() <= 2**-8 and (step == 0).float().mean() > 0.98


def test_an_object_is_answered_alike_whoever_is_asked_about_beside_it(inputs, reordered, state):
    controls = all_controls(Laplace(state, N, False), {"closed": LaplaceClosed(state, False)})
    together, alone = answered(inputs, controls), answered(reordered([3]), controls)
    assert set(together) == {*CELLS.values(), "closed"}
    for name, logits in together.items():
        slack = 0.1 if "bf16" in name else 1e-3  # rounding may fall the other way
        torch.testing.assert_close(logits[3], alone[name][0], atol=slack, rtol=0.05)


@pytest.fixture
def asked(model, tmp_path) -> PromptSet:
    """Three small pictures of two discs each."""
    root, rng = tmp_path / "discs" / "test", np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    y, x = np.mgrid[:40, :56]
    records, masks = [], []
    for k in range(3):
        Image.fromarray(rng.integers(0, 255, (40, 56, 3), np.uint8)).save(root / "images" / f"{k:08d}.jpg")
        records.append(ImageRecord(k, 56, 40, sha256=f"{k}", quality="human"))
        for j, centre in enumerate((15, 40)):
            disc = (y - 20) ** 2 + (x - centre) ** 2 < 80
            masks.append(Annotation(2 * k + j, k, int(disc.sum()), encode_rle(disc)))
    write_split(root, {"dataset": "discs"}, records, masks)
    return PromptSet(model, StreamedEmbeddings(model, torch.float32), read_split(root), "discs", 0)


def test_the_order_of_images_and_their_company_change_nothing(asked, state):
    controls = all_controls(Laplace(state, N, False), {"laplace_closed": LaplaceClosed(state, False)})
    table = measured(asked, controls)
    check_table(table)
    assert len(table) == 6 * 17 * len(METRICS)
    last = replace(asked, split=replace(asked.split, images={2: asked.split.images[2]}))
    again = table[table["image_id"] == 2].reset_index(drop=True)
    # a pixel may change sides with the last bit of its logit
    pd.testing.assert_frame_equal(measured(last, controls), again, rtol=0, atol=TOLERANCE)


def test_the_nll_that_validation_minimises_is_that_of_the_table(asked, state):
    method = LaplaceClosed(state, False)
    table = measured(asked, lambda inputs: {"it": mean_logit(method(inputs))})
    assert mean_nll(asked, method) == pytest.approx(table.loc[table["metric"] == "nll", "value"].mean())
