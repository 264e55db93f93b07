"""Attacks: the identity where the network says nothing, within bounds where it says much, and ascending the loss."""

import pytest
import torch

from uncertsam.base.rng import torch_generator
from uncertsam.training.attacks._graph import ObjectGraph, edges, normalised
from uncertsam.training.attacks._parts import pooled, reversed_gradient
from uncertsam.training.attacks.deform import DeformAttacker, OffsetNetwork, bounded_flow, pasted, warped, warped_masks
from uncertsam.training.attacks.style import StyleAttacker, bounded, restyled, scoped, statistics

SIDE, CHANNELS = 64, 8


@pytest.fixture
def images():
    return torch.randn(2, 3, SIDE, SIDE, generator=torch_generator(0, "images")).clamp(-2.1, 2.6)


@pytest.fixture
def features():
    return torch.randn(2, CHANNELS, 16, 16, generator=torch_generator(0, "features"))


@pytest.fixture
def masks():
    """Two objects that overlap, one that is small; the second image lacks the third."""
    found = torch.zeros(2, 3, SIDE, SIDE)
    found[:, 0, 8:30, 10:40] = found[:, 1, 24:50, 20:44] = found[0, 2, 55:62, 50:60] = 1
    return found


def test_reversal_makes_the_attacker_ascend_what_the_model_descends():
    attack, weight = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    optimiser = torch.optim.SGD([attack, weight], 0.1)

    def loss(a, w):
        return (w * a).square()

    loss(reversed_gradient(attack), weight).backward()
    before = [float(loss(a, w)) for a, w in ((attack.detach(), 2.0), (1.0, weight.detach()))]
    optimiser.step()
    after = [float(loss(a, w)) for a, w in ((attack.detach(), 2.0), (1.0, weight.detach()))]
    assert after[0] > before[0] and after[1] < before[1]


def test_statistics_are_those_of_the_pixels_within_and_of_the_whole_image_for_a_small_mask(images, masks):
    found = statistics(images, masks)
    inside = images[0, :, 8:30, 10:40].flatten(1)
    torch.testing.assert_close(found[0, 0], torch.cat([inside.mean(1), inside.std(1, correction=0)]))
    whole = images[0].flatten(1)
    torch.testing.assert_close(found[0, 2], torch.cat([whole.mean(1), whole.std(1, correction=0)]))


@pytest.mark.parametrize("scope", ["global", "single", "multi", "multi_bg"])
def test_a_style_that_says_nothing_changes_nothing(images, masks, scope):
    chosen = scoped(masks, scope)
    own = statistics(images, chosen)
    found = restyled(images, chosen, own, bounded(torch.zeros(own.shape), own, 0.3))
    torch.testing.assert_close(found, images, rtol=0, atol=1e-4)


def test_style_stays_within_its_bounds_whatever_the_network_says(images, masks):
    own = statistics(images, masks)
    mean, deviation = own.split(3, 2)
    for raw in (torch.full(own.shape, 99.0), torch.full(own.shape, -99.0), torch.randn(own.shape) * 3):
        new_mean, new_deviation = bounded(raw, own, 0.3).split(3, 2)
        assert ((new_mean - mean).abs() <= 0.2 * mean.abs() + 0.3 + 1e-6).all()
        assert (new_deviation <= 1.5 * deviation + 1e-6).all() and (new_deviation >= 0.5 * deviation - 1e-6).all()
        assert restyled(images, masks, own, bounded(raw, own, 0.3)).abs().max() <= 3


def test_style_leaves_what_is_outside_of_its_masks(images, masks):
    chosen, own = scoped(masks, "single"), statistics(images, scoped(masks, "single"))
    found = restyled(images, chosen, own, bounded(torch.ones(own.shape), own, 0.3))
    changed = (found != images).any(1)
    assert not changed[masks[:, 0] == 0].any() and changed[masks[:, 0] == 1].float().mean() > 0.99


def test_scopes_choose_the_image_the_target_all_objects_and_the_background(masks):
    assert scoped(masks, "global").sum() == 2 * SIDE**2
    assert torch.equal(scoped(masks, "single"), masks[:, :1]) and torch.equal(scoped(masks, "multi"), masks)
    background = scoped(masks, "multi_bg")[:, -1]
    assert torch.equal(background, (masks.sum(1) == 0).float())


def test_sizes_are_those_of_the_release():
    def size(module):
        return sum(p.numel() for p in module.parameters())

    assert size(StyleAttacker(256, "multi_bg")) == 33_926 and size(OffsetNetwork(256)) == 369_986


def test_pooling_is_the_mean_within_and_nothing_where_there_is_no_cell(features, masks):
    found, cells = pooled(features, masks), masks[0, 0, ::4, ::4] == 1
    torch.testing.assert_close(found[0, 0], features[0][:, cells].mean(1))
    assert torch.equal(found[1, 2], torch.zeros(CHANNELS))


def test_edges_add_up_overlap_nearness_likeness_and_the_background():
    masks = torch.zeros(4, 8, 8)
    masks[0, :4, :4] = masks[1, 2:6, :4] = 1  # IoU 8 / 24; the third is empty
    masks[3] = 1 - masks[:3].amax(0)
    found = torch.tensor([[1.0, 0], [0.8, 0.6], [1.0, 0], [0, 1]])
    weights = edges(masks, found)
    assert float(weights[0, 1]) == pytest.approx(8 / 24 + 1 + 0.8)  # outlines meet
    assert float(weights[0, 3]) == 0.5 and weights[2].eq(0).all() and weights.diagonal().eq(0).all()
    assert torch.equal(weights, weights.T)
    rows = normalised(weights)
    torch.testing.assert_close(rows.sum(1), torch.ones(4))
    torch.testing.assert_close(rows.diagonal(), torch.tensor([0.5, 0.5, 1, 0.5]))


def test_a_graph_of_one_node_hears_of_nobody_and_adds_a_tenth():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        graph = ObjectGraph(CHANNELS, 16)
    change, features = torch.randn(1, 1, 6), torch.randn(1, CHANNELS, 4, 4)
    assert torch.equal(normalised(torch.zeros(1, 1)), torch.ones(1, 1))
    nodes = torch.cat([change, graph.reading(features.mean((2, 3)))[:, None]], 2)
    wanted = change + 0.1 * graph.second(graph.norm(graph.first(nodes)).relu())
    torch.testing.assert_close(graph(change, features, torch.ones(1, 1, 8, 8), None), wanted)


def test_a_flow_is_bounded_and_does_not_drift_within_its_object(masks):
    raw = torch.randn(6, 2, 16, 16, generator=torch_generator(0, "raw")) * 5
    flat = masks.flatten(0, 1)
    flow = bounded_flow(raw, flat, 0.15)
    assert flow.abs().max() <= 0.3
    inside = flat[:, None, ::4, ::4]
    assert ((flow * inside).sum((2, 3)) / inside.sum((2, 3)).clamp(min=1)).abs().max() < 1e-6


def test_no_flow_moves_nothing_and_a_flow_of_a_cell_moves_by_a_cell(images):
    still = torch.zeros(2, 2, 16, 16)
    torch.testing.assert_close(warped(images, still), images, rtol=0, atol=1e-4)
    right = still.clone()
    right[:, 0] = 1
    torch.testing.assert_close(warped(images, right)[..., :-4], images[..., 4:], rtol=0, atol=1e-3)


@pytest.mark.parametrize("vacated", ["styled", "zero"])
def test_image_and_truth_are_moved_together(masks, vacated):
    """The object is painted on black: where it is seen after the attack is where its moved mask lies."""
    alone = masks[:, :1]
    painted = alone.expand(-1, 3, -1, -1) * 2.0
    flow = bounded_flow(torch.randn(2, 2, 16, 16, generator=torch_generator(1)) * 9, alone[:, 0], 0.5)[:, None]
    found, moved = pasted(painted, alone, flow, "zero")
    assert torch.equal(moved[:, 0], warped_masks(alone[:, 0], flow[:, 0])) and not torch.equal(moved, alone)
    assert torch.equal(found[:, :1] > 1, moved > 0.5)
    ground = torch.randn(2, 3, SIDE, SIDE, generator=torch_generator(2))
    found, _ = pasted(ground, alone, flow, vacated)
    left = (alone == 1) & (moved == 0)
    wanted = ground if vacated == "styled" else torch.zeros(ground.shape)
    assert torch.equal(torch.where(left, found, 0.0), torch.where(left, wanted, 0.0)) and left.any()
    outside = (alone == 0) & (moved == 0)
    assert torch.equal(torch.where(outside, found, 0.0), torch.where(outside, ground, 0.0))


@pytest.mark.parametrize("scope", ["global", "single", "multi", "multi_bg", "gcn"])
def test_attackers_begin_near_the_identity_and_ascend_the_loss_that_is_descended(images, features, masks, scope):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        style, deform = StyleAttacker(CHANNELS, scope), DeformAttacker(CHANNELS)
    fused = features[:, None].expand(-1, 3, -1, -1, -1)
    target = torch.randn(images.shape, generator=torch_generator(3))

    def loss():
        styled = style(features, images, masks, None)
        return (deform(fused, styled, masks)[0] - target).square().mean()

    first = style(features, images, masks, None)
    assert (first - images).abs().mean() < (0.1 if scope == "gcn" else 0.02)
    optimiser = torch.optim.SGD([*style.parameters(), *deform.parameters()], 1.0)
    begun = loss()
    begun.backward()
    assert all(p.grad is not None for p in style.parameters())
    assert all(p.grad is not None for p in deform.parameters())
    optimiser.step()
    assert float(loss().detach()) > float(begun.detach())


def test_the_graphs_dropout_follows_from_its_generator_alone(images, features, masks):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        style = StyleAttacker(CHANNELS, "gcn")
    one, same, other = (style(features, images, masks, torch_generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
