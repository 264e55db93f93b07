"""Archives that others packed: only plain files and folders come out, below one folder, up to a limit."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.base.files import written_aside

CHUNK = 1 << 20
BROKEN = (OSError, tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, RuntimeError)
Member = tuple[tarfile.TarInfo, Callable[[], Any]]  # what it is, in tar's terms, and how it is opened


@dataclass(frozen=True)
class Limits:
    """size: bytes of all archives unpacked; ratio: the same over their packed bytes; members: files and folders."""

    size: int = 200 * 2**30
    ratio: float = 200.0
    members: int = 5_000_000


LIMITS = Limits()


def extract(archives: list[Path], out: Path, limits: Limits = LIMITS) -> None:
    """Unpack tar (also compressed) and zip archives into the one folder `out`, whole or not at all; `out` is replaced.

    Modes, owners and times are not taken over. Raises UserError naming archive and member on names that lead out of
    the folder, links, devices, a path that comes twice (also in two archives), and beyond the limits.
    """
    with written_aside(out) as aside:
        aside.mkdir()
        budget = _Budget(limits, sum(archive.stat().st_size for archive in archives))
        for archive in archives:
            _unpack(archive, aside, budget)


class _Budget:
    """What may still be unpacked: what an archive says of its sizes is not believed, only what arrives is counted."""

    def __init__(self, limits: Limits, packed: int) -> None:
        self.bytes = min(limits.size, int(limits.ratio * packed))
        self.members = limits.members

    def spend(self, size: int, members: int = 0) -> bool:
        self.bytes -= size
        self.members -= members
        return self.bytes >= 0 and self.members >= 0


def _unpack(archive: Path, out: Path, budget: _Budget) -> None:
    try:
        for member in tqdm(_members(archive), desc=f"unpack {archive.name}", unit="file", disable=None):
            _place(member, archive, out, budget)
    except BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:  # gzip's own complaints have no number
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
        raise UserError(f"{archive} cannot be unpacked ({first}).", "Delete it and load it again.") from None


def _members(archive: Path) -> Iterator[Member]:
    if not zipfile.is_zipfile(archive):
        with tarfile.open(archive, "r:*") as tar:
            yield from ((info, partial(tar.extractfile, info)) for info in tar)
        return
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            info = tarfile.TarInfo(entry.filename)
            info.type = tarfile.DIRTYPE if entry.is_dir() else tarfile.REGTYPE
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                info.type = tarfile.SYMTYPE
            yield info, partial(packed.open, entry)


def _place(member: Member, archive: Path, out: Path, budget: _Budget) -> None:
    info, opened = member
    path = _inside(info, archive, out)
    if not budget.spend(0, members=1):
        raise _refused(archive, info, "there are more members than the limit allows")
    try:
        if info.isdir():
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, open(path, "xb") as target:
            _copy(source, target, info, archive, budget)
    except (FileExistsError, NotADirectoryError):
        raise _refused(archive, info, "its path comes twice") from None


def _copy(source: Any, target: Any, info: tarfile.TarInfo, archive: Path, budget: _Budget) -> None:
    while chunk := source.read(CHUNK):
        if not budget.spend(len(chunk)):
            raise _refused(archive, info, "it unpacks to more than the limit allows")
        target.write(chunk)


def _inside(info: tarfile.TarInfo, archive: Path, out: Path) -> Path:
    """Where a member goes: stricter than tar's own filter, which renames /a to a, and takes links and a\\b."""
    name, windows = PurePosixPath(info.name), PureWindowsPath(info.name)
    if not (info.isreg() or info.isdir()):
        raise _refused(archive, info, "it is a link or a device")
    if windows.anchor or ".." in windows.parts or "\\" in info.name or "\0" in info.name:
        raise _refused(archive, info, "its name leads out of the folder")
    if info.isreg() and not name.parts:
        raise _refused(archive, info, "it has no name")
    tarfile.data_filter(info, str(out))  # a second opinion
    return out.joinpath(*name.parts)


def _refused(archive: Path, info: tarfile.TarInfo, why: str) -> UserError:
    return UserError(f"{archive}: the member {info.name!r} is refused: {why}.", "Do not trust this archive.")
