"""What is found in a folder: files by name, the pages of files that have several, and what nobody reads."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path

from uncertsam.base.errors import UserError
from uncertsam.data.raw.adapters.base import Skipped, plural
from uncertsam.data.raw.images import SUFFIXES, Page, Source, Unusable, pages_of, too_large

VOLUMES, VOLUME_LABELS = (".nii", ".nii.gz"), ("labels", "masks")  # endings; folders beside images/
NOISE = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "inventory.json"}  # nobody's data
EACH = 10  # files of no use are listed one by one up to so many in a folder
Views = list[tuple[Source, Source]]  # the picture and the mask of each page; of most files there is one


def below(root: Path, path: Path) -> str:
    """A path relative to the raw set, with forward slashes."""
    return path.relative_to(root).as_posix()


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below a folder, sorted, and linked folders, which are not entered.

    Left out are hidden files and folders, and what systems and this project leave (`NOISE`).
    """
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_noise(name))
        linked = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name) for name in sorted([*names, *linked]) if not is_noise(name))


def is_volume(path: Path) -> bool:
    """Whether a file's name is that of a NIfTI volume."""
    return path.name.lower().endswith(VOLUMES)


def unread(path: Path) -> str:
    """Why a file is not read as a picture, by its name, and what to do, as part of a sentence."""
    if path.is_dir():
        return "it is a link to a folder; put the folder itself in its place"
    if is_volume(path):
        return "it is a volume; give volumes a folder of their own, whose adapter is `nifti`"
    ending = f"its ending {path.suffix} is that of" if path.suffix else "it has no ending, and so"
    return f"{ending} no picture format that is read; if it is a picture, convert it to PNG"


def rest(root: Path, known: Collection[str], reason: str | Callable[[Path], str]) -> list[Skipped]:
    """The files below `root` that are not `known` (relative paths); many of one reason in a folder are one line."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in files_below(root):
        name = below(root, path)
        if name not in known:
            found[name.rpartition("/")[0], reason if isinstance(reason, str) else reason(path)].append(name)
    listed: list[Skipped] = []
    for (folder, why), names in found.items():
        if len(names) > EACH:
            listed.append(Skipped(f"{folder or '.'}/", f"{len(names)} files, such as {names[0]}: {why}"))
        else:
            listed += [Skipped(name, why) for name in names]
    return listed


def is_noise(name: str) -> bool:
    """Whether a file or folder is hidden, or left by a system or by this project."""
    return name.startswith(".") or name.lower() in NOISE


def page_pairs(root: Path, image: Path, mask: Path, most: float) -> tuple[Views, list[Skipped], bool]:
    """Image and mask page by page; the pages that are too large; whether a file holds more than its pages.

    Masks are looked through before images are read, so their size counts here. Raises Unusable where the two have not
    as many pages.
    """
    pages, answers = pages_of(image), pages_of(mask)
    if len(pages.numbers) != len(answers.numbers):
        counts = f"{plural(len(pages.numbers), 'page')}, and its mask {below(root, mask)} {len(answers.numbers)}"
        raise Unusable(f"it has {counts}; give every page a mask, at the same place")
    found: Views = []
    skipped: list[Skipped] = []
    for one, other in zip(_sources(image, pages.numbers), _sources(mask, answers.numbers), strict=True):
        large = too_large(other, most)
        reason = too_large(one, most) or (large and f"its mask: {large}")
        if reason:
            skipped.append(Skipped(name_of(root, one), reason))
        else:
            found.append((one, other))
    return found, skipped, pages.others + answers.others > 0


def _sources(path: Path, numbers: list[int]) -> list[Source]:
    return [path] if numbers == [1] else [Page(path, number) for number in numbers]


def name_of(root: Path, source: Source) -> str:
    """A picture's or page's name in the raw set."""
    return below(root, source.parent / source.name)


def by_name(files: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Files by name, in Unicode's composed form (systems differ: é is one character, or two).

    Raises UserError where two are the same.
    """
    found: dict[str, Path] = {}
    for name, path in files:
        composed = unicodedata.normalize("NFC", name)
        if composed in found:
            raise UserError(f"{found[composed]} and {path} have the same name.", "Keep one of them, or rename one.")
        found[composed] = path
    return found


def alone(root: Path, files: Mapping[str, Path], others: Collection[str], reason: str) -> list[Skipped]:
    """The files whose name no other has."""
    return [Skipped(below(root, path), reason) for name, path in files.items() if name not in others]


def by_stem(root: Path, part: str) -> tuple[dict[str, Path], list[Skipped]]:
    """The pictures below a part of the raw set by name without ending, as `by_name`; and the files that are none."""
    files = list(files_below(root / part))
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES and not path.is_dir()]
    others = [Skipped(below(root, path), unread(path)) for path in files if path not in set(pictures)]
    return by_name((below(root / part, path).removesuffix(path.suffix), path) for path in pictures), others
