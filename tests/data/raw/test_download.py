"""Downloads: whole, the right one, resumed where cut, and secrets stay at home."""

import fcntl
import json
import socket
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from uncertsam.base.errors import UserError
from uncertsam.data.raw.remote._download import Patience, fetch, token_from
from uncertsam.data.raw.remote._web import Token

BODY, OTHER = bytes(range(256)) * 40, bytes(reversed(range(256))) * 40
HASTY = Patience(timeout=5.0, attempts=3, pause=0.0)
ONCE = Patience(timeout=5.0, attempts=1, pause=0.0)
Load = Callable[..., str]


@pytest.fixture
def load(site: Any, tmp_path: Path) -> Load:
    """Load /file from the site to tmp_path/out/file."""
    site.files["/file"], site.tags["/file"] = BODY, '"v1"'

    def run(patience: Patience = HASTY, token: Token | None = None) -> str:
        return fetch(site.url("/file"), tmp_path / "out" / "file", tmp_path / "hashes.json", token, patience)

    return run


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ranges(site: Any) -> list[str | None]:
    return [headers.get("range") for _, headers in site.asked]


# --- whole, once, recorded


@pytest.mark.parametrize("body", [BODY, b""])
def test_a_file_arrives_whole_and_its_hash_joins_the_list(load: Load, site: Any, tmp_path: Path, body: bytes) -> None:
    (tmp_path / "hashes.json").write_text('{"https://example.org/a": "00"}')
    site.files["/file"] = body
    digest = sha256(body).hexdigest()
    assert load() == digest
    assert (tmp_path / "out" / "file").read_bytes() == body and left(tmp_path / "out") == ["file"]
    hashes = json.loads((tmp_path / "hashes.json").read_text())
    assert hashes == {"https://example.org/a": "00", site.url("/file"): digest}


def test_a_file_that_is_there_is_checked_and_not_loaded_again(load: Load, site: Any, tmp_path: Path) -> None:
    assert load() == load()
    assert len(site.asked) == 1
    (tmp_path / "out" / "file").write_bytes(OTHER)
    with pytest.raises(UserError, match=f"{sha256(OTHER).hexdigest()}.*{sha256(BODY).hexdigest()}"):
        load()


def test_a_file_of_unknown_origin_is_not_taken_for_the_publishers(load: Load, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_bytes(OTHER)
    with pytest.raises(UserError, match="does not know its hash"):
        load()
    assert not (tmp_path / "hashes.json").exists()


def test_a_wrong_hash_names_both_and_leaves_no_file(load: Load, site: Any, tmp_path: Path) -> None:
    known = sha256(OTHER).hexdigest()
    (tmp_path / "hashes.json").write_text(json.dumps({site.url("/file"): known}))
    with pytest.raises(UserError, match=f"{sha256(BODY).hexdigest()}.*{known}.*deleted.*delete its line"):
        load()
    assert left(tmp_path / "out") == []
    assert json.loads((tmp_path / "hashes.json").read_text()) == {site.url("/file"): known}


# --- cut and resumed


@pytest.mark.parametrize("known_by", ["tags", "dated"])
def test_a_cut_download_goes_on_from_where_it_was_cut(load: Load, site: Any, tmp_path: Path, known_by: str) -> None:
    site.tags.clear()
    getattr(site, known_by)["/file"] = '"v1"' if known_by == "tags" else "Mon, 05 Jan 2026 10:00:00 GMT"
    site.cuts = [1000, 3000]
    assert load() == sha256(BODY).hexdigest()
    assert ranges(site) == [None, "bytes=1000-", "bytes=4000-"]


def test_what_arrived_is_kept_for_the_next_run(load: Load, site: Any, tmp_path: Path) -> None:
    site.cuts = [1000]
    with pytest.raises(UserError, match="1000 of 10240 bytes.*1000 bytes are kept"):
        load(ONCE)
    assert left(tmp_path / "out") == [".file.part", ".file.part.json"]
    load(ONCE)
    assert ranges(site) == [None, "bytes=1000-"] and left(tmp_path / "out") == ["file"]


def test_attempts_count_only_while_nothing_arrives(load: Load, site: Any) -> None:
    site.cuts = [1000] * 8
    assert load(Patience(timeout=5.0, attempts=2, pause=0.0)) == sha256(BODY).hexdigest()


@pytest.mark.parametrize(("ranges_", "tag", "asked"), [(False, '"v1"', "bytes=1000-"), (True, 'W/"v1"', None)])
def test_without_ranges_or_a_name_for_the_bytes_it_starts_over(
    load: Load, site: Any, ranges_: bool, tag: str, asked: str | None
) -> None:
    """A weak tag means: equal in meaning, not in bytes."""
    site.ranges, site.tags["/file"], site.cuts = ranges_, tag, [1000]
    assert load() == sha256(BODY).hexdigest()
    assert ranges(site) == [None, asked]


@pytest.mark.parametrize("careless", [False, True], ids=["If-Range is heeded", "If-Range is passed over"])
@pytest.mark.parametrize("length", [len(OTHER), 600])
def test_a_file_that_changed_meanwhile_is_never_glued_together(
    load: Load, site: Any, careless: bool, length: int
) -> None:
    site.cuts = [1000]
    with pytest.raises(UserError):
        load(ONCE)
    site.files["/file"], site.tags["/file"], site.careless = OTHER[:length], '"v2"', careless
    assert load() == sha256(OTHER[:length]).hexdigest()


def test_a_part_of_another_address_is_not_continued(load: Load, site: Any, tmp_path: Path) -> None:
    site.cuts = [1000]
    with pytest.raises(UserError):
        load(ONCE)
    site.files["/other"], site.tags["/other"] = OTHER, '"v1"'
    fetch(site.url("/other"), tmp_path / "out" / "file", tmp_path / "hashes.json", None, HASTY)
    assert (tmp_path / "out" / "file").read_bytes() == OTHER


# --- refusals


@pytest.mark.parametrize("status", [404, 403, 401, 410])
def test_a_refusal_is_not_asked_twice_and_leaves_nothing(load: Load, site: Any, tmp_path: Path, status: int) -> None:
    site.statuses = [status]
    with pytest.raises(UserError, match=f"file cannot be loaded: the server answered {status}"):
        load()
    assert len(site.asked) == 1 and left(tmp_path / "out") == []


def test_a_server_in_trouble_is_asked_again_and_given_up_with_its_status(load: Load, site: Any, tmp_path: Path) -> None:
    site.statuses = [500] * 9
    with pytest.raises(UserError, match="the server answered 500"):
        load()
    assert len(site.asked) == HASTY.attempts and left(tmp_path / "out") == []
    site.statuses = [500, 503]
    assert load() == sha256(BODY).hexdigest()


def test_offline_the_host_and_the_way_out_are_named(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        home = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(UserError, match=f"(?s)refused.*connection to {home} and run again.*acquire: local"):
        fetch(f"{home}/file", tmp_path / "file", tmp_path / "hashes.json", None, ONCE)
    assert left(tmp_path) == []


def test_a_silent_server_runs_into_the_timeout(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        with pytest.raises(UserError, match="does not answer in time"):
            fetch(url, tmp_path / "file", tmp_path / "hashes.json", None, Patience(0.2, 1, 0.0))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a", "https://me:secret@example.org/a", "a"])
def test_only_plain_http_addresses_are_loaded(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="no http") as error:
        fetch(url, tmp_path / "file", tmp_path / "hashes.json")
    assert "secret" not in str(error.value)


def test_a_redirect_to_a_local_file_is_not_followed(load: Load, site: Any, tmp_path: Path) -> None:
    site.moved["/file"] = (tmp_path / "hashes.json").as_uri()
    with pytest.raises(UserError):
        load()


@pytest.mark.parametrize("text", ["[]", "{"])
def test_a_broken_list_of_hashes_is_named(load: Load, tmp_path: Path, text: str) -> None:
    (tmp_path / "hashes.json").write_text(text)
    with pytest.raises(UserError, match=r"hashes\.json is no list"):
        load()
    assert not (tmp_path / "out" / "file").exists()


# --- tokens


def tokens(site: Any) -> list[str | None]:
    return [headers.get("authorization") for _, headers in site.asked]


def test_the_token_goes_to_its_own_host_alone(load: Load, site: Any, tmp_path: Path) -> None:
    site.cuts = [1000]
    load(HASTY, Token(site.home, "secret"))
    assert tokens(site) == ["Bearer secret"] * 2
    (tmp_path / "out" / "file").unlink()
    load(HASTY, Token("https://example.org", "secret"))
    assert tokens(site)[2:] == [None]


def test_a_redirect_to_another_host_drops_the_token_and_keeps_the_range(load: Load, site: Any, elsewhere: Any) -> None:
    elsewhere.files["/store"], elsewhere.tags["/store"] = BODY, '"v1"'
    site.moved["/file"], elsewhere.cuts = elsewhere.url("/store"), [1000]
    assert load(HASTY, Token(site.home, "secret")) == sha256(BODY).hexdigest()
    assert tokens(site) == ["Bearer secret"] * 2 and tokens(elsewhere) == [None] * 2
    assert ranges(elsewhere) == [None, "bytes=1000-"]


@pytest.mark.parametrize("detour", [False, True])
def test_a_redirect_to_the_same_host_keeps_the_token(load: Load, site: Any, elsewhere: Any, detour: bool) -> None:
    site.files["/here"] = site.files.pop("/file")
    site.moved["/file"] = elsewhere.url("/detour") if detour else "/here"
    elsewhere.moved["/detour"] = site.url("/here")
    load(HASTY, Token(site.home, "secret"))
    assert tokens(site) == ["Bearer secret"] * 2 and tokens(elsewhere) == [None] * detour


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_no_message_tells_the_token(load: Load, site: Any, capfd: pytest.CaptureFixture[str], status: int) -> None:
    site.statuses = [status] * 9
    token = Token(site.home, "secret")
    with pytest.raises(UserError) as error:
        load(HASTY, token)
    assert "secret" not in f"{error.value}{token}{capfd.readouterr()}"


def test_a_token_comes_from_the_variable_without_its_blanks() -> None:
    assert token_from({"T": " abc\n"}, "T", "https://h") == Token("https://h", "abc")
    assert token_from({}, "T", "https://h") is None and token_from({"": "x"}, "", "") is None


@pytest.mark.parametrize("value", ["a\nHost: b", "a b", "töken"])
def test_a_token_that_is_no_header_is_refused_without_its_value(value: str) -> None:
    with pytest.raises(UserError, match="variable T holds no token") as error:
        token_from({"T": value}, "T", "https://h")
    assert value not in str(error.value)


def test_two_processes_never_write_one_part(load: Load, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with open(tmp_path / "out" / ".file.part", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="loaded by another process"):
            load()
    assert load() == sha256(BODY).hexdigest()
