"""Files over http(s): resumed where they were cut, never glued from two versions, known by their hash ever after.

Beside the target lie, until it is complete, `.NAME.part` (what has arrived) and `.NAME.part.json` (of which version).
The hashes are in one JSON file under version control, {URL: SHA-256}: written at the first use, checked after.
"""

import fcntl
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from uncertsam.base.errors import UserError
from uncertsam.base.files import sha256, write_json
from uncertsam.data.raw.remote._web import Answer, Interrupted, Token, chunks, get, origin


@dataclass(frozen=True)
class Patience:
    """timeout: seconds without a byte; attempts: failures in a row without one; pause: seconds, doubled each time."""

    timeout: float = 60.0
    attempts: int = 5
    pause: float = 1.0


@dataclass(frozen=True)
class _Version:
    """Which file a part belongs to: its URL, what the server calls this version, and its length in bytes."""

    url: str
    validator: str = ""  # for If-Range: a strong ETag, else the date of the last change; "" means never resume
    length: int | None = None


PATIENCE = Patience()


def fetch(url: str, target: Path, hashes: Path, token: Token | None = None, patience: Patience = PATIENCE) -> str:
    """Bring `url` to `target` and return its SHA-256; nothing is asked of the network where it is there already.

    Raises UserError where the host is out of reach, refuses, or the file is not the one whose hash is recorded.
    """
    if target.is_file():
        return _checked_present(url, target, hashes)
    part = target.with_name(f".{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with open(part, "ab") as stream:
        _locked(stream, target)
        try:
            _load(url, stream, part, token, patience)
            return _accepted(url, part, target, hashes)
        finally:
            if part.is_file() and not part.stat().st_size:
                part.unlink()


def _accepted(url: str, part: Path, target: Path, hashes: Path) -> str:
    """Rename the whole file to `target` if its hash is the recorded one; record it if there is none."""
    digest, known = sha256(part), _read_hashes(hashes).get(url)
    _note_of(part).unlink(missing_ok=True)
    if known not in (None, digest):
        part.unlink()
        raise UserError(
            f"{url} has the SHA-256 {digest}, but {hashes} records {known}; what was loaded is deleted.",
            f"Load it again; only if its publisher changed it on purpose, delete its line in {hashes}.",
        )
    if known is None:
        write_json(hashes, {**_read_hashes(hashes), url: digest})
    os.replace(part, target)
    return digest


def token_from(environment: Mapping[str, str], name: str, home: str) -> Token | None:
    """The token in the variable `name`, for the origin `home` alone; none where it is unset.

    Raises UserError, without the value, where it could not be sent as a header.
    """
    value = environment.get(name, "").strip() if name else ""
    if not value.isascii() or any(c.isspace() or not c.isprintable() for c in value):
        raise UserError(f"The variable {name} holds no token: it has spaces or foreign signs.", "Set it again.")
    return Token(home, value) if value else None


def _read_hashes(path: Path) -> dict[str, str]:
    """The recorded hashes; none where there is no such file. Raises UserError where it is broken."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return {str(url): str(digest) for url, digest in value.items()}
    except FileNotFoundError:
        return {}
    except (AttributeError, ValueError) as error:
        raise UserError(f"{path} is no list of hashes ({error}).", "Restore it.") from None


def _checked_present(url: str, target: Path, hashes: Path) -> str:
    digest, known = sha256(target), _read_hashes(hashes).get(url)
    if known is None:
        raise UserError(f"{target} is there, but {hashes} does not know its hash.", "Move it away to load it anew.")
    if digest != known:
        raise UserError(
            f"{target} has the SHA-256 {digest}, but {hashes} records {known} for {url}.",
            "Delete it to load it anew.",
        )
    return digest


def _locked(stream: IO[bytes], target: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"{target} is being loaded by another process.", "Wait for it to end.") from None


def _load(url: str, stream: IO[bytes], part: Path, token: Token | None, patience: Patience) -> None:
    """Append to `stream` until the file is whole; a failure costs an attempt only where it brought no byte."""
    failures = 0
    while True:
        before = part.stat().st_size
        try:
            return _attempt(url, stream, part, token, patience.timeout)
        except Interrupted as error:
            failures = 1 if part.stat().st_size > before else failures + 1
            if failures >= patience.attempts:
                raise _gave_up(url, part, error) from None
            pause = patience.pause * 2 ** (failures - 1)
            tqdm.write(f"{url}: {error}; trying again in {pause:g} s", file=sys.stderr)
            time.sleep(pause)


def _gave_up(url: str, part: Path, error: Interrupted) -> UserError:
    return UserError(
        f"{url} cannot be loaded: {error}.",
        f"Check the connection to {origin(url)} and run again ({part.stat().st_size} bytes are kept). Without "
        "internet, bring the files by other means and use `acquire: local`.",
    )


def _attempt(url: str, stream: IO[bytes], part: Path, token: Token | None, timeout: float) -> None:
    """One request for what is missing; where the server has another version by now, or no ranges, for everything."""
    version = _noted(part, url)
    done = part.stat().st_size if version.validator else 0
    headers = {"Range": f"bytes={done}-", "If-Range": version.validator} if done else {}
    with get(url, headers, token, timeout) as answer:
        resumed = done > 0 and _continues(answer, version, done)
        if not resumed and answer.status in (206, 416):
            _start_over(stream, part)
            raise Interrupted("the server's file changed meanwhile")
        if answer.status not in (200, 206):
            raise _refusal(url, answer, token)
        if not resumed:
            _start_over(stream, part)
            version, done = _version(url, answer), 0
            write_json(_note_of(part), asdict(version))
        _append(answer, stream, part, done, version.length)


def _append(answer: Answer, stream: IO[bytes], part: Path, done: int, length: int | None) -> None:
    name = part.name.removeprefix(".").removesuffix(".part")
    with tqdm(total=length, initial=done, desc=name, unit="B", unit_scale=True, disable=None) as bar:
        for chunk in chunks(answer):
            stream.write(chunk)
            stream.flush()
            bar.update(len(chunk))
    size = part.stat().st_size
    if length is not None and size > length:
        _start_over(stream, part)
    if length is not None and size != length:
        raise Interrupted(f"the connection ended after {size} of {length} bytes")


def _continues(answer: Answer, version: _Version, done: int) -> bool:
    """Whether this is the rest of the same version, from the byte asked for; some servers pass over If-Range."""
    place, _, total = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("/")
    same = _validator(answer) in ("", version.validator)
    fits = version.length is None or total in ("*", str(version.length))
    return answer.status == 206 and place.startswith(f"{done}-") and same and fits


def _start_over(stream: IO[bytes], part: Path) -> None:
    stream.truncate(0)
    stream.seek(0)
    _note_of(part).unlink(missing_ok=True)


def _refusal(url: str, answer: Answer, token: Token | None) -> UserError:
    refused = f"{url} cannot be loaded: the server answered {answer.status}"
    if answer.status in (401, 403):
        sent = "with the token" if token else "without a token"
        return UserError(f"{refused} to a request {sent}.", "Set the source's variable to a token that may read it.")
    return UserError(f"{refused}.", "Check the address in the table of sources.")


def _version(url: str, answer: Answer) -> _Version:
    length = answer.headers.get("Content-Length", "")
    return _Version(url, _validator(answer), int(length) if length.isdigit() else None)


def _validator(answer: Answer) -> str:
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _noted(part: Path, url: str) -> _Version:
    """The version that the part belongs to, or one that is never resumed."""
    try:
        value: dict[str, Any] = json.loads(_note_of(part).read_text(encoding="utf-8"))
        version = _Version(**value)
    except (OSError, TypeError, ValueError):
        return _Version(url)
    return version if version.url == url else _Version(url)
