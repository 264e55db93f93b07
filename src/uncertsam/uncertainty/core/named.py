"""A cell told by names and paths: it is opened where it is asked, be it in another process."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from uncertsam.data.format import Split, read_split
from uncertsam.sam.named import Named, NamedModel
from uncertsam.sam.store import open_embeddings
from uncertsam.uncertainty.core.cells import Cell, Found, Questions, Shard


@dataclass(frozen=True)
class NamedQuestions(Named):
    """`Questions` by paths. embeddings: the dataset's folder of them. truth: its reported split."""

    model: NamedModel
    embeddings: Path
    truth: Path
    dataset: str
    seed: int

    @cached_property
    def opened(self) -> Questions:
        """Raises UserError where model, embeddings or split are missing, broken, or do not belong together."""
        model = self.model.opened
        store, split = open_embeddings(self.embeddings, model), read_split(self.truth)
        return Questions(model, store, split, self.dataset, self.seed)


@dataclass(frozen=True)
class NamedCell(Named):
    """`Cell` by names. params: of the method, as values. part: the folder of the fitted part that it reads, if any."""

    questions: NamedQuestions
    method: str
    params: dict[str, Any]
    part: Path | None

    @cached_property
    def opened(self) -> Cell:
        """Raises UserError where `NamedQuestions.opened` or the method's `build` does."""
        from uncertsam.uncertainty import load_method

        kind, asked = load_method(self.method), self.questions.opened
        built = kind.build(kind.Params(**self.params), asked.model, self.part)
        return Cell(asked.model, built, asked.embeddings, asked.split, asked.dataset, asked.seed)

    @property
    def split(self) -> Split:
        return self.questions.opened.split

    def answers(self, images: Shard) -> list[Found]:
        """As `Cell.answers`."""
        return self.opened.answers(images)
