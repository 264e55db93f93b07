"""The page itself: which control calls which step, and where a session is shown. Needs Gradio."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from uncertsam.app.demo import _cards, _packing, _photos, _steps, _views
from uncertsam.app.demo.session import Session, SharedPredictor
from uncertsam.catalogue import method_facts

TITLE = "Where is the mask wrong?"
KEEP = 3600  # seconds after which the session of a page that was left, and its files, are forgotten
SIDES = ("left", "top", "right", "bottom")
Shown = tuple[Any, ...]


def build(bench: SharedPredictor, folder: Path) -> gr.Blocks:
    """The page over the shared model; archives are written into `folder`."""
    with gr.Blocks(title="UncertSAM", analytics_enabled=False, fill_width=True, delete_cache=(KEEP, KEEP)) as blocks:
        session = gr.State(None, time_to_live=KEEP)
        gr.Markdown(f"## {TITLE}")
        said = gr.HTML(_cards.message(bench.begin()), elem_id="said")
        with gr.Row():
            with gr.Column(scale=3, min_width=420):
                picture = gr.Image(
                    type="numpy", format="jpeg", interactive=False, label="Picture", buttons=[], elem_id="picture"
                )
                _legend()
            with gr.Column(scale=2, min_width=340):
                bind = partial(_bind, bench, session)
                answers = gr.HTML("", elem_id="answers", render=False)
                download = gr.DownloadButton("Download the archive", visible=False, elem_id="archive", render=False)
                corners = [
                    gr.Number(label=s, precision=0, min_width=70, elem_id=f"box_{s}", render=False) for s in SIDES
                ]
                shown = [session, picture, said, answers, download, *corners]
                _sources(bind, shown)
                _prompts(bind, shown, picture, corners)
                _methods(bench, bind, shown)
                _results(bench, session, shown, folder)
        answers.render()
    blocks.queue(default_concurrency_limit=4)
    return blocks


def _show(session: Session) -> Shown:
    """A session as the page's outputs; an archive of earlier answers is no longer offered."""
    at = _steps.suggestion_of(session)
    hidden = gr.DownloadButton(visible=False)
    picture, sides = _views.canvas(session, at), session.box or (None,) * len(SIDES)
    return session, picture, _cards.message(session), _cards.cards(session), hidden, *sides


def _bind(
    bench: SharedPredictor,
    session: gr.State,
    event: Callable[..., Any],
    step: _steps.Step,
    inputs: Sequence[Any],
    shown: Any,
) -> None:
    """Run a step at an event, with what was entered, and show what comes of it."""

    def react(before: Session | None, *entered: Any) -> Shown:
        return _shown(bench, _steps.attempt(bench, step, before, *entered))

    event(react, [session, *inputs], shown, api_visibility="private", show_progress="minimal")


def _shown(bench: SharedPredictor, session: Session) -> Shown:
    """Drawing can run out of memory as well: then the sentence alone is shown."""
    try:
        with bench.lock:
            return _show(session)
    except MemoryError:
        failed = replace(session, answers={}, said="Memory ran out. Choose a smaller picture.", failed=True)
        return failed, gr.skip(), _cards.message(failed), "", *[gr.skip()] * (1 + len(SIDES))


def _sources(bind: Callable[..., None], shown: list[Any]) -> None:
    with gr.Group():
        named = gr.Radio([*_photos.samples()], label="A sample, with a box around its object", elem_id="samples")
        # bytes, not Gradio's picture: what is no picture, or too large, is told by the API's rule before it is decoded
        file = gr.File(type="binary", label="Or your own picture (JPEG, PNG, ...)", height=140, elem_id="upload")
    bind(named.input, _steps.take_sample, [named], shown)
    bind(file.upload, _steps.upload, [file], shown)


def _prompts(bind: Callable[..., None], shown: list[Any], picture: gr.Image, corners: list[gr.Number]) -> None:
    meaning = gr.Radio([*_steps.MEANINGS], value=_steps.CORNER, label="A click on the picture is", elem_id="meaning")
    with gr.Row():
        for side in corners:
            side.render()
    with gr.Row():
        ask = gr.Button("Ask about this box", size="sm", elem_id="ask")
        undo = gr.Button("Undo", size="sm", elem_id="undo")
        clear = gr.Button("Clear", size="sm", elem_id="clear")
    with gr.Row():
        on = gr.Button("The ring is on the object", size="sm", variant="primary", elem_id="ring_on")
        beside = gr.Button("The ring is beside it", size="sm", variant="primary", elem_id="ring_beside")

    def clicked(bench: SharedPredictor, session: Session, kind: str, at: Any) -> Session:
        return _steps.click(bench, session, at, kind)

    _bind_click(bind, picture, clicked, meaning, shown)
    bind(ask.click, _steps.type_box, corners, shown)
    bind(undo.click, _steps.undo, [], shown)
    bind(clear.click, _steps.clear, [], shown)
    bind(on.click, partial(_follow, _steps.ON), [], shown)
    bind(beside.click, partial(_follow, _steps.BESIDE), [], shown)


def _follow(meaning: str, bench: SharedPredictor, session: Session) -> Session:
    return _steps.follow(bench, session, meaning)


def _bind_click(
    bind: Callable[..., None], picture: gr.Image, step: Callable[..., Session], meaning: gr.Radio, shown: list[Any]
) -> None:
    """A click comes as Gradio's event, which it hands over by the type of an argument."""

    def event(react: Callable[..., Shown], inputs: Any, outputs: Any, **options: Any) -> None:
        def selected(before: Session | None, kind: str, at: gr.SelectData) -> Shown:
            return react(before, kind, at.index)

        picture.select(selected, inputs, outputs, **options)

    bind(event, step, [meaning], shown)


def _methods(bench: SharedPredictor, bind: Callable[..., None], shown: list[Any]) -> None:
    first = bench.begin()
    labels = [(method_facts(name).label, name) for name in bench.methods]
    chosen = gr.CheckboxGroup(labels, value=[*first.methods], label="Methods, side by side", elem_id="methods")
    guide = gr.Dropdown(labels, value=first.guide, label="Whose map says where to click next", elem_id="guide")
    share = gr.Slider(
        0, 100, 100 * first.share, step=1, label="Set aside the least certain pixels [%]", elem_id="share"
    )
    for name, mend in bench.missing.items():
        gr.Markdown(f"*{method_facts(name).label}* is not fitted. {mend}")
    bind(chosen.input, _steps.choose, [chosen], shown)
    bind(guide.input, _steps.guide, [guide], shown)
    bind(share.release, _steps.set_aside, [share], shown)


def _results(bench: SharedPredictor, session: gr.State, shown: list[Any], folder: Path) -> None:
    """The archive is packed when asked for: its figures take longer than an answer."""
    pack = gr.Button("Pack the results", size="sm", elem_id="pack")
    _, _, said, _, download, *_ = shown
    download.render()

    def packed(before: Session | None) -> tuple[str, Any]:
        found: list[Path] = []

        def step(_: SharedPredictor, one: Session) -> Session:
            found.append(_packing.packed(one, folder))
            return replace(one, said="The archive is ready: a folder per method, as `uncertsam predict` writes them.")

        after = _steps.attempt(bench, step, before)
        offered = gr.DownloadButton(value=str(found[0]), visible=True) if found else gr.DownloadButton(visible=False)
        return _cards.message(after), offered

    pack.click(packed, [session], [said, download], api_visibility="private", show_progress="minimal")


def _legend() -> None:
    gr.Markdown(
        "Yellow: box. Green +, red −: clicks on and beside the object. Cyan: the mask's outline, and pink ring: the "
        "suggested next click, both by the method chosen below."
    )
