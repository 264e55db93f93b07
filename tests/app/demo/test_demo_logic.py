"""The page without Gradio: steps over a session, whose answers are the API's, and whose mistakes are sentences."""

import io
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_models import same_pass

from uncertsam.app.demo import _cards, _maps, _packing, _photos, _steps, _views
from uncertsam.app.demo.session import Session, SharedPredictor
from uncertsam.base.errors import UserError
from uncertsam.models.checkpoints import load_model
from uncertsam.predictor import UncertaintyPredictor

ROOT = Path(__file__).parents[3]
BOX = (20, 30, 180, 150)
NOISE = np.random.default_rng(0).integers(0, 255, (60, 60, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> SharedPredictor:
    """The shipped model, without fitted parts."""
    model = load_model("sam2_nano", ROOT / "checkpoints" / "sam2_nano.safetensors", torch.device("cpu"))
    sections = yaml.safe_load((ROOT / "profiles" / "demo.yaml").read_text())
    return SharedPredictor(UncertaintyPredictor(model, fitted=tmp_path_factory.mktemp("none"), params=sections))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    folder = ROOT / "data" / "golden" / "images"
    return [np.asarray(Image.open(folder / f"{number:08d}.jpg").convert("RGB")) for number in (1, 2)]


def png(pixels: np.ndarray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def begun(bench: SharedPredictor, pictures: list[np.ndarray]) -> Session:
    """With the first picture uploaded."""
    session = _steps.attempt(bench, _steps.upload, None, png(pictures[0]))
    assert not session.failed and session.photo is not None
    return session


def test_what_is_not_fitted_is_told_and_the_rest_is_offered(bench: SharedPredictor) -> None:
    assert bench.methods == ["sam", "prompt", "tta_geometric"]
    assert set(bench.missing) == {"laplace_closed", "variance", "combined_total"}
    assert bench.begin().methods == ("sam", "prompt")


def test_answers_are_the_apis(bench: SharedPredictor, begun: Session, pictures: list[np.ndarray]) -> None:
    own = UncertaintyPredictor(bench._predictor.model, params=bench._predictor._given[1])
    own.set_image(pictures[0])
    session = _steps.attempt(bench, _steps.choose, begun, bench.methods)
    session = _steps.attempt(bench, _steps.type_box, session, *BOX)
    session = _steps.attempt(bench, _steps.click, session, _shown_at(session, 100, 90), _steps.ON)
    session = _steps.attempt(bench, _steps.click, session, _shown_at(session, 5, 6), _steps.BESIDE)
    assert [tuple(click) for click in session.clicks] == [(100, 90, 1), (5, 6, 0)]
    for name in bench.methods:
        expected = own.predict(BOX, [[100, 90], [5, 6]], [1, 0], method=name)
        assert same_pass(session.answers[name].uncertainty, expected.uncertainty)
        assert same_pass(session.answers[name].logits, expected.logits)


def _shown_at(session: Session, x: int, y: int) -> tuple[float, float]:
    """Where the middle of a pixel is on the picture as shown."""
    scale = _views.scale_of(*session.photo.pixels.shape[:2])
    return (x + 0.5) * scale, (y + 0.5) * scale


def test_a_box_is_two_clicks_in_any_order(bench: SharedPredictor, begun: Session) -> None:
    first = _steps.attempt(bench, _steps.click, begun, _shown_at(begun, 180, 30), _steps.CORNER)
    assert first.corner == (180, 30) and not first.answers and "opposite" in first.said
    second = _steps.attempt(bench, _steps.click, first, _shown_at(begun, 20, 150), _steps.CORNER)
    assert second.box == BOX and second.corner is None and set(second.answers) == {"sam", "prompt"}


def test_a_click_makes_the_map_anew_and_undo_brings_it_back(bench: SharedPredictor, begun: Session) -> None:
    boxed = _steps.attempt(bench, _steps.type_box, begun, *BOX)
    at = _steps.suggestion_of(boxed)
    clicked = _steps.attempt(bench, _steps.follow, boxed, _steps.ON)
    assert clicked.clicks == ((*at, 1),)
    assert not same_pass(clicked.answers["sam"].uncertainty, boxed.answers["sam"].uncertainty)
    back = _steps.attempt(bench, _steps.undo, clicked)
    assert same_pass(back.answers["sam"].uncertainty, boxed.answers["sam"].uncertainty)
    assert _steps.attempt(bench, _steps.undo, back).box is None
    assert not _steps.attempt(bench, _steps.clear, clicked).answers


def test_the_picture_is_encoded_once_and_answers_are_kept(bench, begun, monkeypatch) -> None:
    from uncertsam.app.api import predictor

    monkeypatch.setattr(predictor, "see", lambda *_: pytest.fail("encoded again"))
    session = _steps.attempt(bench, _steps.type_box, begun, *BOX)
    more = _steps.attempt(bench, _steps.choose, session, ["sam", "prompt", "tta_geometric"])
    assert more.answers["sam"] is session.answers["sam"] and "tta_geometric" in more.answers
    slid = _steps.attempt(bench, _steps.set_aside, more, 40)
    assert slid.answers["prompt"] is more.answers["prompt"] and slid.share == 0.4


def test_the_suggestion_is_the_highest_pixel_away_from_earlier_clicks(bench: SharedPredictor, begun: Session) -> None:
    session = _steps.attempt(bench, _steps.type_box, begun, *BOX)
    for _ in range(3):
        unsure = session.answers["sam"].uncertainty
        x, y = _steps.suggestion_of(session)
        rows, columns = np.indices(unsure.shape)
        reach = round(_maps.APART * np.hypot(*unsure.shape))
        far = np.ones(unsure.shape, bool)
        for click in session.clicks:
            far &= np.hypot(columns - click.x, rows - click.y) > reach + 1  # a drawn disc's rim is not exact
            assert np.hypot(x - click.x, y - click.y) >= reach
        assert unsure[y, x] >= unsure[far].max()
        session = _steps.attempt(bench, _steps.follow, session, _steps.BESIDE)
    full = [(x, y) for x in range(3) for y in range(2)]
    assert _maps.suggested(np.ones((2, 3), np.float32), full) is None


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_setting_more_aside_never_keeps_more(values: list[int], shares: list[float]) -> None:
    unsure = np.array(values, np.float32)[None]
    found = [_maps.kept(unsure, share) for share in sorted(shares)]
    for less, more, share in zip(found, found[1:], sorted(shares), strict=False):
        assert not (more & ~less).any()
        assert (~less).sum() <= round(share * unsure.size)
        assert not less.any() or less.all() or unsure[less].max() < unsure[~less].min()
    assert _maps.kept(unsure, 0.0).all() and not _maps.kept(unsure, 1.0).any()


def test_regions_are_apart_and_the_largest_first() -> None:
    unsure = np.zeros((20, 30), np.float32)
    unsure[2:4, 2:4], unsure[10:16, 10:20], unsure[12, 15], unsure[0, 29] = 0.9, 0.95, 1.0, 1.0
    first, second = _maps.regions(unsure)
    assert (first.x, first.y, first.peak, first.share) == (15, 12, 1.0, 0.1)
    assert (second.x, second.y) == (2, 2)
    assert _maps.regions(np.full((5, 5), 0.3, np.float32)) == []


@pytest.mark.parametrize(
    ("step", "entered", "said"),
    [
        (_steps.upload, lambda: [b""], "empty"),
        (_steps.upload, lambda: [b"%PDF-1.4 no picture"], "no picture"),
        (_steps.upload, lambda: [png(NOISE)[:3000]], "cannot be used"),
        (_steps.take_sample, lambda: ["../../etc/passwd"], "no such sample"),
        (_steps.type_box, lambda: [50, 50, 40, 90], "no area"),
        (_steps.type_box, lambda: [None, 1, 2, 3], "four numbers"),
        (_steps.type_box, lambda: [float("nan"), 1, 2, 3], "wrong form"),
        (_steps.click, lambda: [(5, 9e9), _steps.CORNER], "outside of the picture"),
        (_steps.click, lambda: [(5, 5), "sideways"], "what a click means"),
        (_steps.choose, lambda: [[]], "No method"),
        (_steps.choose, lambda: [["laplace_closed"]], "not offered"),
        (_steps.guide, lambda: ["nonsense"], "not offered"),
        (_steps.set_aside, lambda: [130], "0 to 100"),
        (_steps.follow, lambda: [_steps.ON], "no suggestion"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_is_lost(bench, begun, step, entered, said) -> None:
    after = _steps.attempt(bench, step, begun, *entered())
    assert after.failed and len(after.said.splitlines()) == 1 and "Traceback" not in after.said
    assert said in after.said, after.said
    assert replace(after, said="", failed=False).__dict__ == begun.__dict__
    assert 'class="said failed"' in _cards.message(after)


@pytest.mark.parametrize(
    "step", [(_steps.type_box, *BOX), (_steps.click, (5, 5), _steps.ON), (_steps.follow, _steps.ON), (_steps.undo,)]
)
def test_before_there_is_a_picture_nothing_breaks(bench, step) -> None:
    after = _steps.attempt(bench, step[0], None, *step[1:])
    assert not after.answers and (after.failed or step[0] is _steps.undo)
    assert _views.canvas(after, None) is None and _cards.cards(after) == ""


def test_what_nobody_foresaw_is_a_sentence_too(bench, begun, caplog) -> None:
    def broken(*_):
        raise KeyError("secret/path")

    after = _steps.attempt(bench, broken, begun)
    assert after.failed and "KeyError" in after.said and "secret" not in after.said
    assert "secret/path" in caplog.text

    def greedy(*_):
        raise MemoryError

    assert "Memory ran out" in _steps.attempt(bench, greedy, begun).said


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 4), (1, 1), (1, 300, 3), (1500, 2000, 3)])
def test_every_form_of_picture_is_shown_or_refused_in_a_sentence(bench, shape) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    session = _steps.attempt(bench, _steps.upload, None, png(pixels))
    assert not session.failed and max(_views.canvas(session, None).shape) == _views.SHOWN
    session = _steps.attempt(bench, _steps.click, session, (0, 0), _steps.ON)
    assert not session.failed and _cards.cards(session)
    if shape[0] == 1500:
        assert session.photo.notes and session.photo.pixels.size <= 3 * _photos.LARGEST * 1e6


def test_two_sessions_do_not_mix(bench, pictures) -> None:
    alone = []
    for pixels in pictures:
        session = _steps.attempt(bench, _steps.upload, None, png(pixels))
        alone.append(_steps.attempt(bench, _steps.type_box, session, 10, 10, 100, 100))
    both = [_steps.attempt(bench, _steps.upload, None, png(pixels)) for pixels in pictures]
    both = [_steps.attempt(bench, _steps.type_box, session, 10, 10, 100, 100) for session in both]
    for one, other in zip(alone, both, strict=True):
        assert same_pass(one.answers["sam"].logits, other.answers["sam"].logits)
    clicked = _steps.attempt(bench, _steps.follow, both[0], _steps.ON)
    assert len(clicked.clicks) == 1 and both[1].clicks == () and both[0].clicks == ()


def test_a_method_that_guides_is_shown(bench, begun) -> None:
    session = _steps.attempt(bench, _steps.type_box, begun, *BOX)
    session = _steps.attempt(bench, _steps.guide, session, "tta_geometric")
    assert session.guiding is session.answers["tta_geometric"]
    without = _steps.attempt(bench, _steps.choose, session, ["prompt"])
    assert without.guiding is without.answers["prompt"]


class Sources(HTMLParser):
    """What a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found += [value for key, value in attrs if key in ("src", "href")]


def test_the_cards_show_all_and_load_nothing(bench, begun) -> None:
    session = _steps.attempt(bench, _steps.type_box, begun, *BOX)
    text = _cards.cards(session)
    page = Sources()
    page.feed(text)
    assert len(page.found) == 3 + 3 + 2 and all(source.startswith("data:image/jpeg") for source in page.found)
    for told in ("mean uncertainty", "predicted IoU", "90 % kept", "Most uncertain regions", "mutual information"):
        assert told in text
    assert "url(" not in _cards.STYLE and "@import" not in _cards.STYLE


def test_words_of_a_file_are_never_html(bench) -> None:
    assert "<b>" not in _cards.message(Session(said="<b>bold</b>"))


def test_the_archive_holds_what_the_api_saves(bench, begun, tmp_path) -> None:
    with pytest.raises(UserError, match="nothing to download"):
        _packing.packed(begun, tmp_path)
    session = _steps.attempt(bench, _steps.type_box, begun, *BOX)
    with zipfile.ZipFile(_packing.packed(session, tmp_path)) as archive:
        files = {f"{m}/{f}" for m in ("sam", "prompt") for f in ("overlay.png", "plot.png", "uncertainty.png")}
        files |= {f"{m}/{f}" for m in ("sam", "prompt") for f in ("maps.npz", "prediction.json")}
        assert set(archive.namelist()) == files
        with np.load(io.BytesIO(archive.read("prompt/maps.npz"))) as found:
            np.testing.assert_array_equal(found["uncertainty"], session.answers["prompt"].uncertainty)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [_packing.NAME]


def test_every_sample_has_a_box_that_is_answered(bench) -> None:
    assert len(_photos.samples()) == 4
    for name in _photos.samples():
        session = _steps.attempt(bench, _steps.take_sample, None, name)
        assert not session.failed and session.box == session.photo.box and session.answers
