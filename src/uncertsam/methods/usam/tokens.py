"""The token store of a dataset: what several models knew and answered about each object, and how good that was.

manifest.json        {"kind", "models": [[name, sha256], ...], "dtype", "counts": objects per shard, "clusters":
                     {image id: what is split together}, "dataset", "seed", "params"}
00000.safetensors    the arrays of `Observed`; tokens in the manifest's dtype, everything else in float32
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from uncertsam.base.errors import UserError
from uncertsam.base.files import read_json, write_json, written_aside

if TYPE_CHECKING:
    from uncertsam.models.promptable import PromptableModel

KIND = "uncertsam tokens, version 1"
AGAIN = "Run the extract_tokens stage again."
MANIFEST = "manifest.json"
DTYPES = {"float32": torch.float32, "float16": torch.float16}
TOKENS = ("iou_token", "mask_tokens")


@dataclass(frozen=True)
class Observed:
    """n objects seen by m models, the smallest first, asked by p prompts: q single clicks, then all of them at once.

    The first click is the central one. iou_token, mask_tokens: after the decoder's transformer. scores, ious: predicted
    and true IoU in [0, 1] of the k masks that a model returns, those of all t = k + 1 mask tokens but the first.
    entropies: those of `entropies.ENTROPIES` in bits, by the paper's protocol and by the deployable one.
    """

    image_id: Int[Tensor, " n"]
    mask_id: Int[Tensor, " n"]
    iou_token: Float[Tensor, "n m p d"]
    mask_tokens: Float[Tensor, "n m p t d"]
    scores: Float[Tensor, "n m p k"]
    ious: Float[Tensor, "n m p k"]
    entropies: Float[Tensor, "n m 2 5"]

    def arrays(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def joined(cls, parts: Sequence["Observed"]) -> "Observed":
        """Different objects as one."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})


def write_tokens(
    out: Path, parts: Iterable[Observed], models: Sequence["PromptableModel"], dtype: str, facts: Mapping[str, Any]
) -> int:
    """Write the folder `out`, whole or not at all, with one part in memory at a time; returns the number of objects.

    facts: "clusters", "dataset", "seed" and "params". Raises UserError where there are no objects.
    """
    counts: list[int] = []
    with written_aside(out) as folder:
        folder.mkdir(parents=True)
        for part in parts:
            arrays = {n: a.to(DTYPES[dtype]) if n in TOKENS else a for n, a in part.arrays().items()}
            save_file({n: a.contiguous().cpu() for n, a in arrays.items()}, _shard(folder, len(counts)))
            counts.append(len(part.image_id))
        if not sum(counts):
            raise UserError(f"There are no objects for {out}.", "Leave the dataset out, or preprocess it again.")
        known = [[model.name, model.digest] for model in models]
        write_json(folder / MANIFEST, {**facts, "kind": KIND, "models": known, "dtype": dtype, "counts": counts})
    return sum(counts)


class TokenStore:
    """What `write_tokens` wrote, read one shard at a time.

    Raises UserError where it is missing, broken, or of other models than `models`.
    """

    def __init__(self, folder: Path, models: Sequence["PromptableModel"]) -> None:
        self.folder, path = folder, folder / MANIFEST
        self.manifest = read_json(path, AGAIN)
        try:
            self.counts, theirs = [int(n) for n in self.manifest["counts"]], self.manifest["models"]
            self.clusters = {int(image): str(name) for image, name in self.manifest["clusters"].items()}
            found = [(str(name), str(digest)) for name, digest in theirs]
            kind = self.manifest["kind"]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path} is broken ({error!r}).", AGAIN) from None
        if kind != KIND:
            raise UserError(f"{path} is not of the kind {KIND!r}.", AGAIN)
        if [digest for _, digest in found] != [model.digest for model in models]:
            told, ours = (", ".join(f"{n} ({d[:12]})" for n, d in known) for known in (found, _known(models)))
            raise UserError(f"{folder} holds the tokens of {told}, but the models are {ours}.", AGAIN)

    def __len__(self) -> int:
        return sum(self.counts)

    def __iter__(self) -> Iterator[Observed]:
        """Raises UserError where a shard is missing, truncated or not what the manifest describes."""
        for number, count in enumerate(self.counts):
            path = _shard(self.folder, number)
            try:
                arrays = load(path.read_bytes())
                part = Observed(**{n: a.float() if n in TOKENS else a for n, a in arrays.items()})
            except (OSError, SafetensorError, TypeError) as error:
                raise UserError(f"{path} cannot be read ({error}).", AGAIN) from None
            if len(part.image_id) != count:
                raise UserError(f"{path} holds {len(part.image_id)} objects, not {count}.", AGAIN)
            yield part


def _shard(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.safetensors"


def _known(models: Sequence["PromptableModel"]) -> list[tuple[str, str]]:
    return [(model.name, model.digest) for model in models]
