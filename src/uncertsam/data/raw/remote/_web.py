"""One HTTP request, told apart by what can be done about its failure; and tokens that stay with their host."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from uncertsam.base.errors import UserError

CHUNK = 1 << 20  # bytes
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may pass
Answer = http.client.HTTPResponse | urllib.error.HTTPError
NETWORK = (http.client.HTTPException, ConnectionError, TimeoutError, urllib.error.URLError)


class Interrupted(Exception):
    """A failure that may pass, as part of a sentence: the network's, or that of a server in trouble."""


@dataclass(frozen=True)
class Token:
    """A secret for one origin, such as https://example.org; it is shown nowhere."""

    origin: str
    value: str = field(repr=False)


def origin(url: str) -> str:
    """scheme://host[:port] of a URL, in lower case. Raises UserError where it is no plain http(s) URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise UserError(f"{parts.scheme}://{parts.hostname} is no http(s) address.", "Correct the source's address.")
    return f"{parts.scheme}://{parts.netloc}".lower()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, with the token only to its own origin, and never from https to anything else."""

    def __init__(self, token: Token | None) -> None:
        self.token = token

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if origin(req.full_url).startswith("https:") and not origin(newurl).startswith("https:"):
            raise UserError(f"{origin(req.full_url)} redirects to a place without encryption.", "Do not go there.")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            _authorise(following, self.token)
        return following


def _authorise(request: urllib.request.Request, token: Token | None) -> None:
    """Unredirected: urllib would otherwise hand the header on to wherever a server points."""
    if token is not None and origin(request.full_url) == token.origin:
        request.add_unredirected_header("Authorization", f"Bearer {token.value}")


def chunks(answer: Answer) -> Iterator[bytes]:
    """The body. Raises Interrupted where the connection fails; a quiet early end is the caller's to notice."""
    try:
        yield from iter(partial(answer.read, CHUNK), b"")
    except NETWORK as error:
        raise Interrupted(_reason(error)) from None


def get(url: str, headers: dict[str, str], token: Token | None, timeout: float) -> Answer:
    """Ask for `url`; statuses that are an answer (2xx, 4xx) are returned. `timeout`: seconds without a byte.

    Raises Interrupted on what may pass, UserError on a certificate that cannot be trusted and on wrong redirects.
    """
    origin(url)
    request = urllib.request.Request(url, headers={"User-Agent": "uncertsam", **headers})
    _authorise(request, token)
    opener = urllib.request.build_opener(_Redirects(token))
    try:
        answer: Answer = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        answer = error
    except NETWORK as error:
        if "CERTIFICATE" in str(error):
            raise UserError(
                f"{origin(url)} shows no certificate to trust.", "Correct the clock or the proxy."
            ) from None
        raise Interrupted(_reason(error)) from None
    if answer.status in AGAIN:
        with answer:
            raise Interrupted(f"the server answered {answer.status}")
    return answer


def _reason(error: BaseException) -> str:
    """A network error in a few words; it never quotes headers."""
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError):
        return "it does not answer in time"
    return str(getattr(inner, "strerror", None) or inner or type(inner).__name__)
