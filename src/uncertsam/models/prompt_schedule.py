"""The 8-step prompts that the fitted parts see: a box or a click, then one more click per step (paper App. E)."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from uncertsam.models.geometry import Geometry
from uncertsam.models.prompts import (
    BACKGROUND,
    FOREGROUND,
    PAD,
    TOP_LEFT,
    Prompts,
    box_of_mask,
    from_boxes,
    jitter_boxes,
)


def prompt_sequence(
    mask: Bool[Tensor, "h w"],
    geometry: Geometry,
    generator: torch.Generator,
    steps: int = 8,
    box_probability: float = 0.5,
    foreground_probability: float = 0.5,
) -> Prompts:
    """All steps for one object, in `steps` + 1 slots, so that sequences of several objects stack.

    mask: the object, at any resolution. geometry: of the model, in the pixels of whose input the points are given.
    Step 1 is a jittered box or a click on the object; every later step a click on the object or beside it, uniform
    without repetition. A side that has no pixels left leaves its clicks to the other; where neither has, the rest is
    padding. Raises ValueError on an empty mask.
    """
    box = box_of_mask(mask)
    boxed = bool(torch.rand(1, generator=generator) < box_probability)
    wanted = torch.rand(steps, generator=generator) < foreground_probability
    wanted[0] = True
    at, labels = _clicks(mask, wanted[1:] if boxed else wanted, generator)
    points = geometry.to_grid(at, mask.shape)
    if boxed:
        exact = geometry.boxes_to_grid(box[None], mask.shape)
        corners = from_boxes(jitter_boxes(exact, geometry.image_size, generator))
        points, labels = torch.cat([corners.points[0], points]), torch.cat([corners.labels[0], labels])
    return _padded(points, labels, steps + 1)


def prefix(prompts: Prompts, steps: int) -> Prompts:
    """The first `steps` steps of each sequence; a box is one step of two slots. No slot is padding for all objects."""
    boxed = prompts.labels[:, :1] == TOP_LEFT
    slot = torch.arange(prompts.labels.shape[1], device=prompts.labels.device)
    labels = torch.where(slot < steps + boxed.long(), prompts.labels, PAD)
    used = int((labels != PAD).sum(1).max())
    return Prompts(prompts.points[:, :used], labels[:, :used])


def stack(sequences: Sequence[Prompts]) -> Prompts:
    """Sequences with the same number of slots as one batch."""
    return Prompts(torch.cat([s.points for s in sequences]), torch.cat([s.labels for s in sequences]))


def _clicks(
    mask: Bool[Tensor, "h w"], wanted: Bool[Tensor, " k"], generator: torch.Generator
) -> tuple[Float[Tensor, "m 2"], Int[Tensor, " m"]]:
    """At most k different pixels (x, y) with their labels; `wanted` says which are to lie on the object."""
    sides = {True: _shuffled(mask, len(wanted), generator), False: _shuffled(~mask, len(wanted), generator)}
    drawn: list[tuple[list[float], int]] = []
    for on in wanted.tolist():
        on = on if sides[on] else not on
        if sides[on]:
            drawn.append((sides[on].pop(), FOREGROUND if on else BACKGROUND))
    points = torch.tensor([point for point, _ in drawn]).reshape(-1, 2)
    return points, torch.tensor([label for _, label in drawn], dtype=torch.long)


def _shuffled(region: Bool[Tensor, "h w"], count: int, generator: torch.Generator) -> list[list[float]]:
    """Up to `count` different pixels of a region, as [x, y]."""
    at = torch.nonzero(region)
    chosen = at[torch.randperm(len(at), generator=generator)[:count]]
    pixels: list[list[float]] = chosen.flip(1).float().tolist()
    return pixels


def _padded(points: Float[Tensor, "k 2"], labels: Int[Tensor, " k"], slots: int) -> Prompts:
    missing = slots - len(labels)
    points = torch.cat([points, points.new_zeros(missing, 2)])
    return Prompts(points[None], torch.cat([labels, labels.new_full((missing,), PAD)])[None])
