"""Archives that others packed: only plain files and folders come out, below one folder, up to a limit."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.base.files import written_aside

CHUNK = 1 << 20
BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """size: bytes of all archives unpacked; ratio: the same over their packed bytes; members: files and folders."""

    size: int = 200 * 2**30
    ratio: float = 200.0
    members: int = 5_000_000


@dataclass(frozen=True)
class Member:
    """An entry of an archive; what is neither a file nor a folder is never opened."""

    name: str
    kind: Literal["file", "folder", "link or device"]
    open: Callable[[], Any]


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
        raise _broken(archive, error) from None
    except OSError as error:
        if error.errno is not None:  # gzip's own complaints have no number
            raise
        raise _broken(archive, error) from None


def _broken(archive: Path, error: Exception) -> UserError:
    first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":")
    return UserError(f"{archive} cannot be unpacked ({first}).", "Delete it and load it again.")


def _members(archive: Path) -> Iterator[Member]:
    if zipfile.is_zipfile(archive):
        yield from _zip_members(archive)
    else:
        yield from _tar_members(archive)


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive, "r:*") as tar:
        for info in tar:
            kind: Literal["file", "folder", "link or device"] = "link or device"
            if info.isreg() or info.isdir():
                kind = "file" if info.isreg() else "folder"
            yield Member(info.name, kind, lambda info=info: _opened(tar, info))  # type: ignore[misc]


def _opened(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Any:
    """A second opinion before a file is read: the standard library's filter for archives that hold data."""
    stream = tar.extractfile(tarfile.data_filter(info, "/nowhere"))
    if stream is None:
        raise tarfile.TarError(f"{info.name} is no file")
    return stream


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            kind: Literal["file", "folder", "link or device"] = "folder" if info.is_dir() else "file"
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                kind = "link or device"
            yield Member(info.filename, kind, lambda info=info: packed.open(info))  # type: ignore[misc]


def _place(member: Member, archive: Path, out: Path, budget: _Budget) -> None:
    path = _inside(member, archive, out)
    if not budget.spend(0, members=1):
        raise _refused(archive, member, "there are more members than the limit allows")
    try:
        if member.kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, open(path, "xb") as target:
            _copy(source, target, member, archive, budget)
    except (FileExistsError, NotADirectoryError):
        raise _refused(archive, member, "its path comes twice") from None


def _copy(source: Any, target: Any, member: Member, archive: Path, budget: _Budget) -> None:
    while chunk := source.read(CHUNK):
        if not budget.spend(len(chunk)):
            raise _refused(archive, member, "it unpacks to more than the limit allows")
        target.write(chunk)


def _inside(member: Member, archive: Path, out: Path) -> Path:
    """Where a member goes. `out` was empty and gets no links, so that its names alone decide."""
    name = PurePosixPath(member.name)
    if member.kind == "link or device":
        raise _refused(archive, member, "it is a link or a device")
    windows = PureWindowsPath(member.name)
    if name.is_absolute() or windows.anchor or ".." in windows.parts or "\\" in member.name or "\0" in member.name:
        raise _refused(archive, member, "its name leads out of the folder")
    if member.kind == "file" and not name.parts:
        raise _refused(archive, member, "it has no name")
    return out.joinpath(*name.parts)


def _refused(archive: Path, member: Member, why: str) -> UserError:
    return UserError(f"{archive}: the member {member.name!r} is refused: {why}.", "Do not trust this archive.")
