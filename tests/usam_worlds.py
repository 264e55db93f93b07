"""What the tests of USAM share: objects as a store would hold them, drawn at random."""

from dataclasses import replace

import torch

from uncertsam.methods.usam.tokens import Observed


def random_observed(n: int = 40, models: int = 2, prompts: int = 4, width: int = 3, seed: int = 0) -> Observed:
    """Three masks and four mask tokens per prompt; whatever is drawn is in the ranges that it has in a store."""
    made = torch.Generator().manual_seed(seed)
    iou_token, mask_tokens = (torch.randn(n, models, prompts, *e, width, generator=made) for e in ((), (4,)))
    scores, ious = (torch.rand(n, models, prompts, 3, generator=made) for _ in range(2))
    entropies = torch.rand(n, models, 2, 5, generator=made)
    return Observed(torch.arange(n) // 2, torch.arange(n), iou_token, mask_tokens, scores, ious, entropies)


def with_other_truth(observed: Observed) -> Observed:
    """The same answers, judged by another truth, on which the paper's entropies depend as well."""
    entropies = observed.entropies.clone()
    entropies[:, :, 0] = 1 - entropies[:, :, 0]
    return replace(observed, ious=observed.ious.roll(1, -1) ** 2, entropies=entropies)
