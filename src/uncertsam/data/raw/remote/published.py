"""Raw data from the internet: an entry of the table of sources becomes a raw set with an inventory, or plain files."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from uncertsam.base.errors import checked_options
from uncertsam.base.files import write_json, written_aside
from uncertsam.data.raw.acquire import INVENTORY, Inventory, hashed, refuse_other_data
from uncertsam.data.raw.remote._archives import Limits, extract
from uncertsam.data.raw.remote._download import PATIENCE, Patience, fetch, token_from
from uncertsam.data.raw.remote.sources import Source, file_name, find


class _Download(BaseModel, extra="forbid"):
    """The options of a download: an entry of the table of sources, and how much its archives may unpack to."""

    name: str
    gigabytes: float = Field(200.0, gt=0)
    ratio: float = Field(200.0, gt=0)  # unpacked to packed bytes


def download(options: dict[str, Any], out: Path, archives: Path, hashes: Path, patience: Patience = PATIENCE) -> Source:
    """Load a dataset's archives (`options`: Download) into `archives`/NAME, unpack them to `out`; return its entry.

    The archives stay, so that nothing is loaded twice; their hashes are recorded in `hashes` and checked against it.
    Raises UserError on wrong options, what cannot be loaded, hostile archives, and rather than replace other data.
    """
    asked = checked_options(_Download, options, f"data.{out.name}.options.{{}}", "A download")
    source = find(asked.name, "dataset")
    refuse_other_data(out)
    packed = load(source, archives / source.name, hashes, patience)
    with written_aside(out) as aside:
        extract(packed, aside, Limits(int(asked.gigabytes * 1e9), asked.ratio))
        files = {name: digest for name, digest in hashed(aside).items() if name != INVENTORY}
        write_json(aside / INVENTORY, asdict(Inventory(".", False, files)))
    return source


def load(source: Source, folder: Path, hashes: Path, patience: Patience = PATIENCE) -> list[Path]:
    """Load the files of an entry into `folder`, as they are."""
    token = token_from(os.environ, source.token_env, source.token_home)
    paths = [folder / file_name(url) for url in source.urls]
    for url, path in zip(source.urls, paths, strict=True):
        fetch(url, path, hashes, token, patience)
    return paths
