"""The page in a headless browser, from the command to the downloaded archive.

`make test` runs it in an environment of its own. Skipped where Gradio, Playwright or Chromium is absent.
"""

import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "data" / "golden" / "images"
NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = os.environ.get("UNCERTSAM_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
ABSENT = [name for name in ("gradio", "playwright") if importlib.util.find_spec(name) is None]
ABSENT += [] if BROWSER else ["chromium"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
WAIT = 60_000  # milliseconds: a busy machine

pytestmark = pytest.mark.skipif(bool(ABSENT), reason=f"the page in a browser needs {', '.join(ABSENT)}")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page, served by the command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    words = [sys.executable, "-c", "from uncertsam.cli import main; main()", "demo", "--port", "0"]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        killer = threading.Timer(120, server.kill)  # else a page that never comes would hold the next line for ever
        killer.start()
        first = server.stdout.readline()
        killer.cancel()
        found = re.search(r"http://127\.0\.0\.1:\d+", first)
        try:
            assert found, first
            yield found[0]
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(30)
            finally:
                server.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A fresh visitor, whose browser must not have asked anyone else for anything."""
    context = browser.new_context(viewport={"width": 1500, "height": 1250}, accept_downloads=True)
    opened, asked = context.new_page(), []
    opened.on("request", lambda request: asked.append(request.url))
    yield begin(opened, address)
    context.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def begin(page: Any, address: str) -> Any:
    page.set_default_timeout(WAIT)
    page.goto(address)
    page.wait_for_selector("#samples label")
    return page


def upload(page: Any, data: bytes) -> None:
    page.set_input_files("#upload input[type=file]", {"name": "own.jpg", "mimeType": "image/jpeg", "buffer": data})


def click(page: Any, x: float, y: float) -> None:
    """At a share of the picture's width and height."""
    image = page.locator("#picture img")
    place = image.bounding_box()
    image.click(position={"x": place["width"] * x, "y": place["height"] * y})


def until_told(page: Any, words: str) -> None:
    page.wait_for_function("words => document.querySelector('#said').innerText.includes(words)", arg=words)


def with_box(page: Any) -> None:
    """Upload a picture and click at the two corners of a box."""
    upload(page, (GOLDEN / "00000004.jpg").read_bytes())
    page.wait_for_selector("#picture img")
    until_told(page, "two corners")
    click(page, 0.3, 0.25)
    until_told(page, "opposite")
    click(page, 0.7, 0.8)
    page.wait_for_selector("#answers .card")


def test_upload_box_second_click_and_download(page: Any, tmp_path: Path) -> None:
    with_box(page)
    assert page.locator("#answers .card").count() >= 2 and page.input_value("#box_right input") != ""
    before, begun = page.inner_html("#answers .cards"), time.perf_counter()
    page.click("#ring_on")
    page.wait_for_function("before => document.querySelector('#answers .cards').innerHTML !== before", arg=before)
    assert time.perf_counter() - begun < 20  # below two seconds where nothing else runs
    page.click("#pack")
    page.wait_for_selector("#archive", state="visible")
    with page.expect_download() as waiting:
        page.click("#archive")
    waiting.value.save_as(tmp_path / "results.zip")
    with zipfile.ZipFile(tmp_path / "results.zip") as archive:
        told = json.loads(archive.read("sam/prediction.json"))
        assert "sam/overlay.png" in archive.namelist() and "prompt/maps.npz" in archive.namelist()
    assert len(told["points"]) == 1 and told["labels"] == [1] and told["box"] is not None


def test_the_slider_sets_pixels_aside(page: Any) -> None:
    with_box(page)
    assert "90 % kept" in page.inner_text("#answers")
    page.locator("#share input[type=range]").focus()
    page.locator("#share input[type=range]").click(position={"x": 200, "y": 5})
    page.wait_for_function("() => !document.querySelector('#answers').innerText.includes('90 % kept')")


@pytest.mark.parametrize("data", [b"%PDF-1.4 no picture", b"\xff\xd8\xff\xe0 broken"])
def test_what_is_no_picture_is_a_sentence(page: Any, data: bytes) -> None:
    upload(page, data)
    until_told(page, "no picture that can be read")
    assert "Traceback" not in page.inner_text("body")


def test_a_hundred_megapixels_are_a_sentence(page: Any) -> None:
    large = io.BytesIO()
    Image.new("L", (10_000, 10_000)).save(large, "JPEG")
    upload(page, large.getvalue())
    until_told(page, "100.0 megapixels")


def test_a_box_outside_and_one_without_area_are_sentences(page: Any) -> None:
    with_box(page)
    for numbers, words in (((900, 900, 990, 990), "outside of the picture"), ((9, 9, 5, 50), "no area")):
        for side, value in zip(("left", "top", "right", "bottom"), numbers, strict=True):
            page.fill(f"#box_{side} input", str(value))
        page.click("#ask")
        until_told(page, words)
        assert page.locator("#answers .card").count() >= 2  # what was there before is kept


def test_two_visitors_do_not_mix(browser: Any, address: str) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    first, second = (begin(context.new_page(), address) for context in contexts)
    with_box(first)
    assert second.locator("#answers .card").count() == 0 and second.locator("#picture img").count() == 0
    second.locator("#samples label").first.click()
    second.wait_for_selector("#answers .card")
    assert first.inner_html("#answers") != second.inner_html("#answers")
    for context in contexts:
        context.close()


@pytest.mark.parametrize("place", ["/etc/passwd", ROOT / "README.md", "README.md", "../README.md"])
def test_no_file_of_this_machine_is_handed_out(address: str, place: Any) -> None:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{address}/gradio_api/file={place}", timeout=60)
    refused.value.close()
    assert refused.value.code in (403, 404)
