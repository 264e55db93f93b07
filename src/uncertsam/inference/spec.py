"""A cell told by names and paths: it is opened where it is asked, be it in another process."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from uncertsam.data.format import Split, read_split
from uncertsam.inference.predictions import Found, PredictionTask, PromptSet, Shard
from uncertsam.models.layout import Layout
from uncertsam.models.spec import ModelSpec, Spec
from uncertsam.models.store import open_embeddings


@dataclass(frozen=True)
class PromptSetSpec(Spec):
    """`PromptSet` by paths. embeddings: the dataset's folder of them. truth: its reported split."""

    model: ModelSpec
    embeddings: Path
    truth: Path
    dataset: str
    seed: int

    @cached_property
    def opened(self) -> PromptSet:
        """Raises UserError where model, embeddings or split are missing, broken, or do not belong together."""
        model = self.model.opened
        store, split = open_embeddings(self.embeddings, model), read_split(self.truth)
        return PromptSet(model, store, split, self.dataset, self.seed)


@dataclass(frozen=True)
class TaskSpec(Spec):
    """`PredictionTask` by names. params: the method's, as values. part: the folder of the fitted part that it reads."""

    questions: PromptSetSpec
    method: str
    params: dict[str, Any]
    part: Path | None

    @cached_property
    def opened(self) -> PredictionTask:
        """Raises UserError where `PromptSetSpec.opened` or the method's `build` does."""
        from uncertsam.base.registry import load_method

        kind, asked = load_method(self.method), self.questions.opened
        built = kind.build(kind.Params(**self.params), asked.model, self.part)
        return PredictionTask(asked.model, built, asked.embeddings, asked.split, asked.dataset, asked.seed)

    @property
    def split(self) -> Split:
        return self.questions.opened.split

    @property
    def layout(self) -> Layout:
        return self.questions.opened.model.geometry

    def answers(self, images: Shard) -> list[Found]:
        """As `PredictionTask.answers`."""
        return self.opened.answers(images)
