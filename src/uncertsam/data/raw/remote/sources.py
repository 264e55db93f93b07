"""What can be downloaded: the published benchmark and Meta's checkpoints. Hashes are recorded at the first use.

Nothing here was loaded while it was written: `verified` says where each address was read, `unverified` what is not
known without the network.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from uncertsam.base.errors import UserError
from uncertsam.data.licences import PUBLISHED

HUB = "https://huggingface.co"
BENCHMARK = f"{HUB}/datasets/JesseBrouw/UncertSAM/resolve/main"
META = "https://dl.fbaipublicfiles.com/segment_anything_2"


@dataclass(frozen=True)
class Source:
    """`urls` end in the files' names; `token_env` names the variable of a token, sent to `token_home` alone."""

    name: str
    kind: Literal["dataset", "checkpoint"]
    urls: tuple[str, ...]
    licence: str
    verified: str
    unverified: str
    token_env: str = ""
    token_home: str = ""


def file_name(url: str) -> str:
    """The last part of a URL's path."""
    return PurePosixPath(urlsplit(url).path).name


def find(name: str, kind: str | None = None) -> Source:
    """The entry of that name (and kind). Raises UserError, listing the names, where there is none."""
    table = {source.name: source for source in sources() if kind in (None, source.kind)}
    if name not in table:
        raise UserError(f"There is no {kind or 'source'} {name!r} to download.", f"Choose one of {', '.join(table)}.")
    return table[name]


def sources() -> list[Source]:
    """The whole table: the eight datasets, then the eight checkpoints under their names in params.yaml."""
    return [*(_dataset(name) for name in PUBLISHED), *(_checkpoint(*row) for row in CHECKPOINTS)]


def _dataset(name: str) -> Source:
    return Source(
        name,
        "dataset",
        tuple(f"{BENCHMARK}/{name}/{split}.tar.gz" for split in ("train", "val", "test")),
        PUBLISHED[name].stated,
        "in the authors' public code: repository, <DATASET>/{train,val,test}.tar.gz, HF_TOKEN",
        "whether the repository wants a token, and how the folders in the archives are called",
        "HF_TOKEN",
        HUB,
    )


CHECKPOINTS = [  # name, release, file
    ("sam2_tiny", "072824", "sam2_hiera_tiny.pt"),
    ("sam2_small", "072824", "sam2_hiera_small.pt"),
    ("sam2_base_plus", "072824", "sam2_hiera_base_plus.pt"),
    ("sam2_large", "072824", "sam2_hiera_large.pt"),
    ("sam2.1_tiny", "092824", "sam2.1_hiera_tiny.pt"),
    ("sam2.1_small", "092824", "sam2.1_hiera_small.pt"),
    ("sam2.1_base_plus", "092824", "sam2.1_hiera_base_plus.pt"),
    ("sam2.1_large", "092824", "sam2.1_hiera_large.pt"),
]


def _checkpoint(name: str, release: str, file: str) -> Source:
    return Source(
        name,
        "checkpoint",
        (f"{META}/{release}/{file}",),
        "Apache-2.0",
        "address and licence: the description that the package sam2 1.1.0 carries",
        "that the file is still there",
    )
