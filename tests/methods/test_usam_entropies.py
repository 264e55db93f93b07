"""The entropies are those of means over the grid, whatever the order in which it is walked through."""

from itertools import product

import pytest
import torch

from uncertsam.methods.usam.entropies import ENTROPIES, EntropyGrid, mask_entropy

MODELS, VIEWS, PROMPTS, MASKS, OBJECTS = 2, 3, 4, 3, 2
GRID = list(product(range(MODELS), range(VIEWS), range(PROMPTS)))


def draw(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits [model, view, prompt, n, mask, h, w], their scores, the number of each chosen mask."""
    made = torch.Generator().manual_seed(seed)
    shape = (MODELS, VIEWS, PROMPTS, OBJECTS)
    logits = 6 * torch.randn(*shape, MASKS, 5, 7, generator=made)
    return logits, torch.rand(*shape, MASKS, generator=made) + 0.01, torch.randint(MASKS, shape, generator=made)


def walked(logits, scores, chosen, places=GRID) -> torch.Tensor:
    grid = EntropyGrid(MODELS)
    for place in places:
        grid.add(place, logits[place], scores[place], chosen[place])
    return grid.entropies()


def direct(p: torch.Tensor) -> torch.Tensor:
    p = p.double().clamp(1e-6, 1 - 1e-6)
    pixels = -(p * p.log() + (1 - p) * (1 - p).log()) / torch.log(torch.tensor(2.0))
    return ((pixels * p).sum((-2, -1)) / p.sum((-2, -1))).float()


def test_each_entropy_is_that_of_the_mean_computed_at_once():
    logits, scores, chosen = draw()
    maps, share = logits.sigmoid(), (scores / scores.sum(-1, keepdim=True))[..., None, None]
    best = torch.take_along_dim(maps, chosen[..., None, None, None], -3).squeeze(-3)
    weights = share / (MODELS * VIEWS * PROMPTS)
    found = walked(logits, scores, chosen)
    for m in range(MODELS):
        expected = {
            "h_y": direct((maps * weights).sum((0, 1, 2, 4))),
            "h_theta": direct(best[:, 0, 0].mean(0)),
            "h_xp": direct(best[m, 0].mean(0)),
            "h_a": direct((maps * share)[m, 0, 0].sum(1)),
            "h_std": direct(best[m, 0, 0]),
        }
        for at, name in enumerate(ENTROPIES):
            torch.testing.assert_close(found[:, m, at], expected[name], msg=name)


def test_the_order_of_the_answers_does_not_matter():
    logits, scores, chosen = draw()
    torch.testing.assert_close(walked(logits, scores, chosen, GRID[::-1]), walked(logits, scores, chosen))


def test_objects_do_not_see_each_other():
    logits, scores, chosen = draw()
    alone = [walked(logits[..., i : i + 1, :, :, :], scores[..., i : i + 1, :], chosen[..., i : i + 1]) for i in (0, 1)]
    torch.testing.assert_close(torch.cat(alone), walked(logits, scores, chosen))


def test_a_grid_of_equal_maps_has_the_entropy_of_one_map_everywhere():
    logits, scores, chosen = draw()
    same = logits[:1, :1, :1, :, :1].expand_as(logits)
    found = walked(same, scores, chosen)
    torch.testing.assert_close(found, found[:, :1, -1:].expand_as(found))


def test_a_scale_of_the_scores_and_what_is_not_chosen_do_not_matter():
    logits, scores, chosen = draw()
    at = {name: i for i, name in enumerate(ENTROPIES)}
    torch.testing.assert_close(walked(logits, 0.1 * scores, chosen), walked(logits, scores, chosen))
    other = torch.where(torch.arange(MASKS)[:, None, None] == chosen[..., None, None, None], logits, -logits)
    for name in ("h_theta", "h_xp", "h_std"):
        torch.testing.assert_close(
            walked(other, scores, chosen)[..., at[name]], walked(logits, scores, chosen)[..., at[name]]
        )


@pytest.mark.parametrize(("p", "bits"), [(0.5, 1.0), (0.0, 2.14e-5), (1.0, 2.14e-5), (0.25, 0.8113)])
def test_entropies_are_in_bits_between_0_and_1(p, bits):
    assert mask_entropy(torch.full((4, 4), p)).item() == pytest.approx(bits, rel=0.05)
    assert ((found := walked(*draw(3))) > 0).all() and (found < 1).all()


def test_pixels_count_by_their_probability():
    """A sure pixel of the object beside an unsure one of 1/2: (1 * 0 + 1/2 * 1) / (3/2)."""
    assert mask_entropy(torch.tensor([[1.0, 0.5]])).item() == pytest.approx(1 / 3, abs=1e-4)


def test_a_grid_with_a_hole_is_no_result():
    logits, scores, chosen = draw()
    with pytest.raises(KeyError):
        walked(logits, scores, chosen, [(0, 0, 0)])
