"""The two protocols read the same objects: the paper by the truth, the deployable one without it."""

import pytest
import torch
from usam_worlds import random_observed, with_other_truth

from uncertsam.methods.usam.heads import Heads, head_names
from uncertsam.methods.usam.protocols import DECISIONS, PROTOCOLS, Judged, size_names, usam_scores
from uncertsam.methods.usam.tokens import Observed

SIZES = ("pico", "nano")
SCORES = {"usam", "usam_direct", "sam_score", "h_std", "h_y", "h_theta", "h_xp", "h_a"}


@pytest.fixture
def hand_made() -> Observed:
    """One object, two models, a click and all clicks; each mask's IoU and score. Token k holds k everywhere."""
    ious = torch.tensor([[[[0.2, 0.9, 0.5], [0.8, 0.3, 0.1]], [[0.7, 0.6, 0.4], [0.5, 0.95, 0.2]]]])
    scores = torch.tensor([[[[0.1, 0.3, 0.8], [0.2, 0.9, 0.1]], [[0.9, 0.2, 0.1], [0.6, 0.7, 0.1]]]])
    tokens = torch.arange(4.0)[:, None].expand(1, 2, 2, 4, 1)
    return Observed(
        torch.tensor([0]), torch.tensor([0]), -torch.ones(1, 2, 2, 1), tokens, scores, ious, torch.rand(1, 2, 2, 5)
    )


TARGETS = {  # of the first model's tokens, then of the second's
    "paper": {"iou_pico": (0.9, 0.9), "iou_nano": (0.7, 0.7), "iou_dense_prompt": (0.8, 0.95),
              "iou_unsupervised": (0.5, 0.7), "model_gap": (0.3, 0.3), "prompt_gap": (0.4, 0.75),
              "task_gap": (0.9, 0.5)},
    "deployable": {"iou_pico": (0.5, 0.5), "iou_nano": (0.7, 0.7), "iou_dense_prompt": (0.3, 0.95),
                   "iou_best_mask": (0.9, 0.7), "model_gap": (0.7, 0.7), "prompt_gap": (0.3, 0.75),
                   "task_gap": (0.9, 0.5)},
}  # fmt: skip
OUTCOMES = {  # decision -> (before, after) of each model
    "paper": {"model": ((0.9, 0.7), (0.9, 0.7)), "prompt": ((0.9, 0.8), (0.7, 0.95)),
              "task": ((0.5, 0.9), (0.7, 0.7)), "segmentation": ((0.9, 1), (0.7, 1))},
    "deployable": {"model": ((0.5, 0.7), (0.5, 0.7)), "prompt": ((0.5, 0.3), (0.7, 0.95)),
                   "task": ((0.5, 0.9), (0.7, 0.7)), "segmentation": ((0.5, 1), (0.7, 1))},
}  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_targets_and_outcomes_of_a_hand_made_object(hand_made, protocol):
    judged = Judged(hand_made, protocol)
    targets = dict(zip(head_names(SIZES, protocol), judged.targets()[0].unbind(-1), strict=True))
    assert {name: pytest.approx(value.tolist()) for name, value in targets.items()} == TARGETS[protocol]
    for decision, (start, end) in judged.outcomes().items():
        found = [(s, e) for s, e in zip(start[0].tolist(), end[0].tolist(), strict=True)]
        assert found == [pytest.approx(pair) for pair in OUTCOMES[protocol][decision]], decision


@pytest.mark.parametrize(("protocol", "token"), [("paper", (1, 0)), ("deployable", (2, 0))])
@pytest.mark.parametrize("offset", [0, 1])
def test_the_latent_is_that_of_the_protocols_mask(hand_made, protocol, token, offset):
    latents = Judged(hand_made, protocol).latents(offset)
    assert latents[0].tolist() == [[-1, token[0] + offset], [-1, token[1] + offset]]


def test_gains_are_cut_off_at_one_half():
    observed = random_observed()
    observed.ious[:, 0, 0], observed.ious[:, 1, 0] = 0.1, 0.9
    assert (Judged(observed, "paper").targets()[..., -3] == 1).all()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_decision_has_every_score_and_segmentation_no_direct_one(protocol):
    scores = Judged(random_observed(), protocol).scores(Heads(head_names(SIZES, protocol), 6).draw(0))
    assert list(scores) == list(DECISIONS)
    for decision, found in scores.items():
        assert set(found) == SCORES - ({"usam_direct"} if decision == "segmentation" else set())
        assert all(values.shape == (40, 2) for values in found.values())


def test_another_truth_changes_no_deployable_score_and_most_of_the_papers():
    observed = random_observed()
    changed = {}
    for protocol in PROTOCOLS:
        heads = Heads(head_names(SIZES, protocol), 6).draw(0)
        one, other = (Judged(o, protocol).scores(heads) for o in (observed, with_other_truth(observed)))
        changed[protocol] = {(d, s) for d in one for s in one[d] if not torch.equal(one[d][s], other[d][s])}
    assert changed["deployable"] == set()
    assert changed["paper"] == {
        (d, s) for d in DECISIONS for s in SCORES
        if (d, s) not in {("task", "sam_score"), ("segmentation", "usam_direct")}
    }  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_heads_that_know_the_truth_are_the_oracle_of_every_decision(protocol):
    """What USAM derives from expected IoUs is the gain itself where these are the true ones."""
    judged = Judged(random_observed(), protocol)
    names = head_names(SIZES, protocol)
    known = dict(zip(names, judged.targets().unbind(-1), strict=True))
    known = {name: value - 0.5 if name.endswith("gap") else value for name, value in known.items()}
    for decision, (start, end) in judged.outcomes().items():
        found = usam_scores(known, judged.own)[decision]
        torch.testing.assert_close(found["usam"], end - start)
        if decision != "segmentation":
            torch.testing.assert_close(found["usam_direct"], (end - start).clamp(-0.5, 0.5))


def test_heads_of_another_protocol_or_number_of_models_do_not_fit():
    for names in (head_names(SIZES, "paper"), head_names((*SIZES, "tiny"), "deployable")):
        with pytest.raises(ValueError, match="do not fit 2 models and the protocol 'deployable'"):
            Judged(random_observed(), "deployable").scores(Heads(names, 6))


def test_heads_are_called_after_sizes():
    assert size_names(["sam2.1_tiny", "sam2.1_base_plus"]) == ["tiny", "base_plus"]
    assert size_names(["sam2_tiny", "sam2.1_tiny"]) == ["sam2_tiny", "sam2.1_tiny"]
