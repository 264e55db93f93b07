"""The models that come with the package: small trunks under SAM 2's prompt encoder and decoder (`nano`)."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from uncertsam.base.checkout import embedded
from uncertsam.base.errors import UserError
from uncertsam.models.sam2 import Sam2Model

Model = Sam2Model


def names() -> tuple[str, ...]:
    """By the manifests beside the package's weights."""
    return embedded()


def network(name: str, facts: Mapping[str, Any]) -> nn.Module:
    """Fresh weights. facts: of the weights' manifest; the first model's says neither trunk nor image size."""
    from uncertsam.models.nano import IMAGE_SIZE, TRUNKS, NanoSam

    trunk = facts.get("trunk", "conv")
    if trunk not in TRUNKS:
        raise UserError(f"The manifest of {name} names the unknown trunk {trunk!r}.", "Restore it beside the weights.")
    return NanoSam(trunk, facts.get("image_size", IMAGE_SIZE))
