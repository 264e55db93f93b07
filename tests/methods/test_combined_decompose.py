"""The decomposition against what is known of sums and products of independent sources."""

import pytest
import torch

from uncertsam.methods.joint.decompose import PARTS, decompose


def grid(*factors: torch.Tensor) -> torch.Tensor:
    """Three vectors, each along its own axis, over one pixel."""
    return [f.reshape([-1 if axis == i else 1 for axis in range(3)] + [1, 1, 1]) for i, f in enumerate(factors)]


LEVELS = (torch.tensor([-0.1, 0.1]), torch.tensor([-0.2, 0.0, 0.2]), torch.tensor([0.3, -0.3, 0.3, -0.3]))


def test_each_source_of_a_sum_gets_its_own_variance() -> None:
    model, image, prompt = grid(*LEVELS)
    total, parts = decompose(model + image + prompt)
    for name, values in zip(PARTS, LEVELS, strict=True):
        torch.testing.assert_close(parts[name].item(), values.var(correction=0).item())
    torch.testing.assert_close(total.item(), sum(v.var(correction=0).item() for v in LEVELS))


def test_an_interaction_is_shared_equally() -> None:
    """A product of centred sources has no main effect: each of the two gets half of the variance, the third nothing."""
    model, image, _ = grid(*LEVELS)
    total, parts = decompose((model * image).expand(-1, -1, 4, -1, -1, -1))
    expected = LEVELS[0].square().mean() * LEVELS[1].square().mean()
    torch.testing.assert_close(total.squeeze(), expected)
    torch.testing.assert_close(parts["model"].squeeze(), expected / 2)
    torch.testing.assert_close(parts["image"].squeeze(), expected / 2)
    assert parts["prompt"].item() == pytest.approx(0, abs=1e-9)


def test_parts_add_up_to_the_variance_of_the_whole_grid_and_none_is_negative() -> None:
    values = torch.rand(5, 4, 3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    total, parts = decompose(values)
    torch.testing.assert_close(total, values.flatten(0, 2).var(0, correction=0))
    torch.testing.assert_close(sum(parts.values()), total)
    assert min(part.min() for part in parts.values()) >= 0


@pytest.mark.parametrize("source", range(3))
def test_a_source_that_changes_nothing_has_no_part(source: int) -> None:
    values = torch.rand(5, 4, 3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    still = values.mean(source, keepdim=True).expand_as(values)
    total, parts = decompose(still)
    assert parts[PARTS[source]].max() < 1e-7
    assert total.min() > 1e-4
