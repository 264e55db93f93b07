"""A server on this machine that can do what servers on the internet do wrong."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Site:
    """What the server holds and how it misbehaves; `asked` is every request it got: path and headers."""

    home: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)  # path -> ETag
    dated: dict[str, str] = field(default_factory=dict)  # path -> Last-Modified
    moved: dict[str, str] = field(default_factory=dict)  # path -> URL
    statuses: list[int] = field(default_factory=list)  # of the next answers, instead of what is there
    cuts: list[int] = field(default_factory=list)  # the next answers end after so many bytes
    ranges: bool = True
    careless: bool = False  # passes over If-Range
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"{self.home}{path}"


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        site = self.site
        site.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        if site.statuses:
            self._empty(site.statuses.pop(0))
        elif self.path in site.moved:
            self._empty(302, site.moved[self.path])
        elif self.path in site.files:
            self._file(site.files[self.path])
        else:
            self._empty(404)

    def _empty(self, status: int, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, body: bytes) -> None:
        first = self._first(body)
        if first >= len(body) > 0:
            return self._empty(416)
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        for name, value in (("ETag", self.site.tags), ("Last-Modified", self.site.dated)):
            if self.path in value:
                self.send_header(name, value[self.path])
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        rest = body[first:]
        self.wfile.write(rest[: self.site.cuts.pop(0)] if self.site.cuts else rest)
        self.close_connection = True

    def _first(self, body: bytes) -> int:
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        current = (self.site.tags.get(self.path), self.site.dated.get(self.path))
        if not asked or not self.site.ranges or (condition not in (None, *current) and not self.site.careless):
            return 0
        return int(asked.removeprefix("bytes=").split("-")[0])


def serve() -> Iterator[Site]:
    handler = type("OneSite", (Handler,), {"site": Site()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        handler.site.home = f"http://127.0.0.1:{server.server_port}"
        yield handler.site
        server.shutdown()
        thread.join()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield from serve()


@pytest.fixture
def elsewhere() -> Iterator[Site]:
    """A second host, as far as tokens are concerned: another port is another origin."""
    yield from serve()
