"""`uncertsam fit`: the Laplace posterior of a model, in seconds, without DVC: on a synthetic world or a folder."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from uncertsam.base.errors import UserError

if TYPE_CHECKING:
    from uncertsam.config.params import Config
    from uncertsam.data.format import Split
    from uncertsam.methods.posterior.state import LaplaceState
    from uncertsam.models.promptable import PromptableModel

WORLD, LAYOUT = "everything", "sa1b"  # the world with many kinds of masks, and who reads it


def fit(
    model: "PromptableModel",
    config: "Config",
    folder: Path | None,
    out: Path,
    count: int,
    force: bool,
    options: Mapping[str, Any] | None = None,
) -> tuple["LaplaceState", list[dict[str, str]]]:
    """Fit on all of `folder` (images/ and masks/), or on `count` generated pictures where it is None; write `out`.

    config: of which `fit_laplace`, `split` and `base.seed` are read. options: of the adapter
    that reads `folder`: `nifti` for volumes, else `folder`. What the embedded model was trained on is left out. Returns
    the posterior, and the files that were of no use, each {file, reason}. Raises UserError where `out` is there already
    and not to be replaced (`force`), and where there are no pictures to fit on.
    """
    from uncertsam.base.files import sha256
    from uncertsam.methods.posterior.state import save

    if out.exists() and not force:
        raise UserError(f"{out} is there already.", "Replace it with --force, or choose another --out.")
    name = folder.resolve().name if folder else WORLD
    with TemporaryDirectory() as scratch:
        split = _split(Path(scratch), name, folder, count, config, dict(options or {}))
        state = _fitted(model, split, name, config)
        save(state, out, {name: sha256(split.root / "annotations" / "dataset.json")})
        return state, split.info["skipped"]


def option(text: str) -> tuple[str, Any]:
    """An option of an adapter, as `kind=binary` or as it stands in YAML, `kind: binary`. Raises UserError."""
    import yaml

    found = re.fullmatch(r"\s*(\w+)\s*[=:]\s*(.*)", text, re.DOTALL)
    try:
        if found:
            return found[1], yaml.safe_load(found[2])
    except yaml.YAMLError:
        pass
    raise UserError(f"--option {text!r} is none.", "Give KEY=VALUE, or as in YAML, such as --option 'kind: binary'.")


def _split(
    scratch: Path, name: str, folder: Path | None, count: int, config: "Config", options: dict[str, Any]
) -> "Split":
    """The pictures in the benchmark's format."""
    from uncertsam.base.checkout import shipped
    from uncertsam.data.format import read_split
    from uncertsam.data.raw import acquire
    from uncertsam.data.raw.adapters.folder import adapter_of
    from uncertsam.data.raw.preprocess import preprocess
    from uncertsam.data.splits import read_reserved

    raw, benchmark, seed = scratch / name, scratch / "benchmark", config.base.seed
    if folder is None:
        acquire.generate(WORLD, {"count": count, "seed": seed}, raw)
    else:
        acquire.local(folder, raw)
    adapter, contract = (adapter_of(folder) or "folder") if folder else LAYOUT, config.split
    reserved = read_reserved(shipped("pretrain_images.json"))
    try:
        preprocess(raw, benchmark, name, adapter, options, {"fit": 1.0}, reserved, contract.salt, contract.near)
    except UserError as error:
        raise UserError(error.problem, _as_typed(error.mend)) from None
    # a set of few groups comes out as `test`, which is no more than its name here
    found = next((benchmark / split for split in ("fit", "test") if (benchmark / split).is_dir()), None)
    if found is None:
        raise UserError(f"The model was trained on all pictures of {folder}.", "Add pictures that it has not seen.")
    return read_split(found)


def _as_typed(mend: str) -> str:
    """A mend that speaks of a dataset's options, as written in params.yaml, with how to give them here."""
    return f"{mend} Here an option is given as --option 'kind: binary'." if "option" in mend or "`" in mend else mend


def _fitted(model: "PromptableModel", split: "Split", name: str, config: "Config") -> "LaplaceState":
    import torch
    from tqdm import tqdm

    from uncertsam.methods.posterior.examples import read_examples
    from uncertsam.methods.posterior.fit import fit
    from uncertsam.models.store import StreamedEmbeddings

    store, knobs = StreamedEmbeddings(model, torch.float32), config.fit_laplace
    examples = read_examples(model, store, split, knobs, config.base.seed, name)
    return fit(model, examples, knobs, lambda some: tqdm(some, "fit", len(split), disable=None))
