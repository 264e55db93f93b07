"""The randomness rule: every draw comes from (seed, names...), never from loop order.

Hence one worker, N workers and a resumed run see the same numbers.
"""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed from a base seed and any names, such as (dataset, image id, member)."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator for one place in the experiment."""
    return np.random.default_rng(derive_seed(seed, *names))


def torch_generator(seed: int, *names: str | int) -> "torch.Generator":
    """A torch generator (on the CPU, so that devices agree) for one place in the experiment."""
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, *names))
