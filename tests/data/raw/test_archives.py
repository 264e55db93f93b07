"""Archives: what was packed comes out, and nothing gets out of the folder, whoever packed it."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from uncertsam.base.errors import UserError
from uncertsam.data.raw.remote._archives import Limits, extract

FILES = {"test/images/1.jpg": b"one", "test/annotations/dataset.json": b"{}", "empty": b""}
Make = Callable[[Path], Path]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def tarball(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for info, body in members:
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return path


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for info, body in members:
            packed.writestr(info, body)
    return path


def zip_link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz", "zip"])
def test_what_was_packed_comes_out(tmp_path: Path, kind: str) -> None:
    packed = tmp_path / "set.bin"  # told by its contents, not by its name
    if kind == "zip":
        zipped(packed, ("test/", b""), *FILES.items())
    else:
        folders = [(member(".", tarfile.DIRTYPE), b""), (member("./test", tarfile.DIRTYPE), b"")]
        tarball(packed, *folders, *((member(f"./{n}"), body) for n, body in FILES.items()), mode=kind)
    extract([packed], tmp_path / "out")
    assert contents(tmp_path / "out") == FILES
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "set.bin"]


def test_several_archives_share_one_folder_and_replace_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale").touch()
    both = [tarball(tmp_path / f"{s}.tar.gz", (member(f"{s}/a"), s.encode())) for s in ("train", "test")]
    extract(both, tmp_path / "out")
    assert contents(tmp_path / "out") == {"train/a": b"train", "test/a": b"test"}


def test_modes_and_owners_are_not_taken_over(tmp_path: Path) -> None:
    info = member("a")
    info.mode, info.uid = 0o6777, 0
    extract([tarball(tmp_path / "a.tar", (info, b"x"), mode="w")], tmp_path / "out")
    assert not (tmp_path / "out" / "a").stat().st_mode & 0o7111


HOSTILE: dict[str, Make] = {
    "tar with an absolute path": lambda p: tarball(p, (member("/tmp/evil"), b"x")),
    "tar with ..": lambda p: tarball(p, (member("a/../../evil"), b"x")),
    "tar with a folder ..": lambda p: tarball(p, (member("../evil", tarfile.DIRTYPE), b"")),
    "tar with a backslash": lambda p: tarball(p, (member("..\\evil"), b"x")),
    "tar with a drive": lambda p: tarball(p, (member("C:evil"), b"x")),
    "tar with a link out": lambda p: tarball(p, (member("a", tarfile.SYMTYPE, "/"), b"")),
    "tar with a link inside": lambda p: tarball(p, (member("b"), b"x"), (member("a", tarfile.SYMTYPE, "b"), b"")),
    "tar that writes through a link": lambda p: tarball(
        p, (member("a", tarfile.SYMTYPE, ".."), b""), (member("a/evil"), b"x")
    ),
    "tar with a hard link": lambda p: tarball(p, (member("a", tarfile.LNKTYPE, "/etc/passwd"), b"")),
    "tar with a device": lambda p: tarball(p, (member("a", tarfile.CHRTYPE), b"")),
    "tar with a pipe": lambda p: tarball(p, (member("a", tarfile.FIFOTYPE), b"")),
    "tar with a file twice": lambda p: tarball(p, (member("a"), b"x"), (member("./a"), b"y")),
    "tar with a file as folder": lambda p: tarball(p, (member("a"), b"x"), (member("a/evil"), b"y")),
    "tar with a file over a folder": lambda p: tarball(p, (member("a/evil"), b"x"), (member("a"), b"y")),
    "zip with an absolute path": lambda p: zipped(p, ("/tmp/evil", b"x")),
    "zip with ..": lambda p: zipped(p, ("../evil", b"x")),
    "zip with a backslash": lambda p: zipped(p, ("..\\evil", b"x")),
    "zip with a link": lambda p: zipped(p, zip_link("a", "/etc/passwd")),
    "zip with a file as folder": lambda p: zipped(p, ("a", b"x"), ("a/evil", b"y")),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused_by_name_and_member_and_leave_nothing(tmp_path: Path, make: Make) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    packed = make(folder / "set.bin")
    with pytest.raises(UserError, match=r"set\.bin: the member '.*(a|evil)' is refused: .*trust"):
        extract([packed], folder / "out")
    assert [p.name for p in folder.iterdir()] == ["set.bin"] and [p.name for p in tmp_path.iterdir()] == ["deep"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_a_name_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'a' is refused: its path comes twice"):
        extract([zipped(tmp_path / "a.zip", ("a", b"x"), ("a", b"y"))], tmp_path / "out")


def test_two_archives_with_one_path_are_refused(tmp_path: Path) -> None:
    both = [tarball(tmp_path / f"{n}.tar.gz", (member("same"), b"x")) for n in ("one", "two")]
    with pytest.raises(UserError, match=r"two\.tar\.gz: the member 'same'.*twice"):
        extract(both, tmp_path / "out")


@pytest.mark.parametrize("limits", [Limits(size=9_999), Limits(ratio=10.0)], ids=["size", "ratio"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_bombs_stop_at_the_limit(tmp_path: Path, limits: Limits, kind: str) -> None:
    body = bytes(10_000)
    path = tmp_path / "bomb"
    packed = zipped(path, ("a", body)) if kind == "zip" else tarball(path, (member("a"), body))
    extract([packed], tmp_path / "fine", Limits(size=10_000, ratio=1e6))
    with pytest.raises(UserError, match="bomb: the member 'a' .*more than the limit"):
        extract([packed], tmp_path / "out", limits)
    assert not (tmp_path / "out").exists()


def test_the_limit_counts_all_archives_together_and_all_members(tmp_path: Path) -> None:
    both = [tarball(tmp_path / f"{n}.tar.gz", (member(n), bytes(600))) for n in ("one", "two")]
    extract(both, tmp_path / "out", Limits(size=1200, members=2))
    for limits in (Limits(size=1199), Limits(members=1)):
        with pytest.raises(UserError, match="'two'"):
            extract(both, tmp_path / "out", limits)


def test_a_zip_that_lies_about_its_sizes_is_not_believed(tmp_path: Path) -> None:
    packed = zipped(tmp_path / "lie.zip", ("a", bytes(5000)))
    packed.write_bytes(packed.read_bytes().replace((5000).to_bytes(4, "little"), (5).to_bytes(4, "little")))
    with pytest.raises(UserError, match=r"lie\.zip"):
        extract([packed], tmp_path / "out", Limits(size=100))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_broken_archives_are_named(tmp_path: Path, cut: int) -> None:
    whole = tarball(tmp_path / "whole", (member("a"), bytes(range(256)) * 8)).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[:cut])
    with pytest.raises(UserError, match=r"cut\.tar\.gz cannot be unpacked.*load it again"):
        extract([tmp_path / "cut.tar.gz"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
