"""The stage `extract_tokens`, told by names and paths: the tokens of drawn images and masks of one split."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from uncertsam.base.files import sha256
from uncertsam.compute.shards import cut
from uncertsam.config.usam import ExtractTokens
from uncertsam.data.format import ANNOTATIONS, read_split
from uncertsam.experiments.subset import drawn
from uncertsam.inference.predictions import Shard
from uncertsam.methods.usam.extract import Extraction
from uncertsam.methods.usam.tokens import Observed
from uncertsam.models.spec import ModelSpec, Spec
from uncertsam.models.store import open_embeddings
from uncertsam.training.resume import code_digest

IMAGES = 8  # of a shard, or more: see `cut`
CODE = ("methods/usam", "models", "base/rng.py")


@dataclass(frozen=True)
class ExtractionSpec(Spec):
    """models: the smallest first. embeddings: of all models and datasets. truth: the split. images: None for all."""

    models: tuple[ModelSpec, ...]
    embeddings: Path
    truth: Path
    dataset: str
    params: ExtractTokens
    images: int | None
    seed: int

    @cached_property
    def opened(self) -> Extraction:
        """Raises UserError where models, embeddings or split are missing, broken, or do not belong together."""
        models, split = [spec.opened for spec in self.models], read_split(self.truth)
        stores = [open_embeddings(self.embeddings / model.name / self.dataset, model) for model in models]
        chosen = drawn(split, self.images or len(split.images), self.params.masks, self.params.seed)
        return Extraction(models, stores, chosen, self.dataset, self.params, self.seed)

    @property
    def key(self) -> str:
        """What finished shards are kept under."""
        digests = [model.digest for model in self.opened.models]
        facts = [self.params.model_dump(), self.images, self.seed, digests, sha256(self.truth / ANNOTATIONS)]
        text = json.dumps([*facts, code_digest(*CODE)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def shards(self) -> Sequence[Shard]:
        """The drawn images."""
        return cut(tuple(self.opened.split.images), IMAGES)

    def observed(self, images: Shard) -> Observed | None:
        """As `Extraction.observed`."""
        return self.opened.observed(images)
