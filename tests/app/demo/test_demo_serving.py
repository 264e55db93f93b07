"""What the demo needs around its page: samples, a port, a package, and a page that loads nothing from elsewhere."""

import asyncio
import sys

import pytest

from uncertsam.app.demo import _photos
from uncertsam.app.demo.serving import Guarded, address, bound
from uncertsam.base.errors import UserError


def test_without_a_checkout_a_sample_is_generated(monkeypatch) -> None:
    monkeypatch.setattr(_photos, "checkout", lambda: None)
    (name,) = _photos.samples()
    assert _photos.sample(name).pixels.shape[2] == 3


def test_without_gradio_one_sentence_says_how_to_get_it(monkeypatch, uncertsam) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    error = uncertsam("demo")[2]
    assert "pip install 'uncertsam[demo]'" in error and "\n" not in error


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with bound("127.0.0.1", 0) as place:
        assert address(place) == f"http://127.0.0.1:{place.getsockname()[1]}"
        with pytest.raises(UserError, match="cannot be used"):
            bound("127.0.0.1", place.getsockname()[1])
    with pytest.raises(UserError, match="cannot be used"):
        bound("no.such.host.invalid", 0)


def test_every_answer_forbids_to_load_from_elsewhere() -> None:
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    asyncio.run(Guarded(app)({"type": "http"}, None, send))
    assert b"default-src 'self'" in dict(sent[0]["headers"])[b"content-security-policy"]
