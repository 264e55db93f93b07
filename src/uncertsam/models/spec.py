"""What is told by names and paths, and opened by whoever needs it: so that it can be sent to another process."""

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from uncertsam.models.checkpoints import device_named, load_model
from uncertsam.models.promptable import PromptableModel


@dataclass(frozen=True)
class Spec:
    """Its fields are all that is pickled: what its cached properties opened stays behind, and is opened again there."""

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class ModelSpec(Spec):
    """A model by its name, the path of its weights and the name of its device."""

    name: str
    weights: Path
    device: str

    @cached_property
    def opened(self) -> PromptableModel:
        """Raises UserError as `load_model` and `device_named` do."""
        return load_model(self.name, self.weights, device_named(self.device))
