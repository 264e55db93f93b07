"""Figures inside the page: drawings as inline SVG that follows light and dark, panels of photos as compact images."""

import base64
import io
import re
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from pathlib import Path

from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.catalogue import in_order, spoken
from uncertsam.experiments.contract import experiments, read_captions
from uncertsam.figures.style import GRID, INK, MUTED, PAPER, RULE

PANEL, PHOTOS = "qualitative_", ("teaser",)
AGAIN = "Run the figures stage again."


@cache
def captions() -> dict[str, dict[str, str]]:
    """Title and caption of every figure that is known, in the page's order."""
    own = {name: told for experiment in experiments() for name, told in experiment.captions().items()}
    found: dict[str, dict[str, str]] = {}
    for name, told in read_captions(Path(__file__).with_name("captions.yaml")).items():
        found |= own if told is None else {name: told}
    return found


@dataclass(frozen=True)
class _Picture:
    """One figure in the page: `markup` is safe HTML, `table` a data URI of the numbers drawn.

    photo: it is drawn on white, in the dark too.
    """

    name: str
    title: str
    caption: str
    markup: str
    table: str
    photo: bool = False


def pictures(folder: Path) -> list[_Picture]:
    """All drawings of a folder, the known ones first. Raises UserError where there is none."""
    stems = {path.stem: path for path in sorted(folder.glob("*.svg")) if not path.stem.startswith(PANEL)}
    if not stems:
        raise UserError(f"{folder} holds no figures.", "Run the figures stage first.")
    order = in_order(stems, captions())
    return [_drawing(stems[name], f"f{rank}") for rank, name in enumerate(order)]


def panels(folder: Path, names: dict[str, str]) -> list[_Picture]:
    """The panel of photos of each dataset that has one; `names` maps datasets to their labels, in order."""
    found = ((name, label, folder / f"{PANEL}{name}.png") for name, label in names.items())
    return [_panel(path, label) for _, label, path in found if path.is_file()]


def _drawing(path: Path, prefix: str) -> _Picture:
    told = captions().get(path.stem, {"title": spoken(path.stem), "caption": ""})
    title, caption = told["title"], told["caption"]
    if path.stem in PHOTOS:
        return replace(_panel(path.with_suffix(".png"), title), caption=caption)
    try:
        markup = inline_svg(_read(path).decode("utf-8"), prefix, title)
    except ValueError as error:
        raise UserError(f"{path} is no drawing ({error}).", AGAIN) from None
    return _Picture(path.stem, title, caption, markup, _table(path))


def _panel(path: Path, label: str) -> _Picture:
    try:
        with Image.open(path) as image:
            picture = image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} cannot be read as an image ({error}).", AGAIN) from None
    stream, (width, height) = io.BytesIO(), picture.size
    picture.save(stream, "WEBP", quality=84, method=4)
    source = _uri("image/webp", stream.getvalue())
    markup = f'<img src="{source}" width="{width}" height="{height}" alt="{escape(label)}">'
    return _Picture(path.stem, label, "", markup, _table(path), photo=True)


def inline_svg(text: str, prefix: str, title: str) -> str:
    """A drawing as part of a page: ids of its own, page colours as variables, no declarations that point elsewhere."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    text = re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", text)
    colours = {INK: "ink", MUTED: "muted", RULE: "rule", GRID: "grid", PAPER: "paper"}
    for colour, name in colours.items():
        text = re.sub(rf"(?<=: ){colour}\b", f"var(--{name})", text, flags=re.IGNORECASE)
    return re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg role="img" aria-label="{escape(title)}" \1>', text, count=1
    )


def _table(path: Path) -> str:
    table = path.with_suffix(".csv")
    return _uri("text/csv", _read(table))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} is missing.", AGAIN) from None


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
