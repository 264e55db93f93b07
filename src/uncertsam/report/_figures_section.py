"""Figures inside the page: drawings as inline SVG that follows light and dark, panels of photos as compact images."""

import base64
import io
import re
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from PIL import Image

from uncertsam.base.errors import UserError
from uncertsam.catalogue import spoken
from uncertsam.figures.style import GRID, INK, MUTED, PAPER, RULE

PANEL, PHOTOS = "qualitative_", ("teaser",)
AGAIN = "Run the figures stage again."
CAPTIONS: dict[str, tuple[str, str]] = {
    "teaser": (
        "A mask that fails, and who saw it coming",
        "Figs. 1 and 2 of the paper in one. Above: what was asked, what is true, what the model answered and how wrong "
        "that is. Below: where each method is unsure. A good map is bright where the error is, and dark elsewhere. "
        "The mask is chosen by the rule above the picture, not by hand; one mask proves nothing.",
    ),
    "pearson_radar": (
        "Does uncertainty follow the error?",
        "Each spoke is a dataset, each line a method; farther out is better (Fig. 3 of the paper). "
        "Compare with the grey, dashed baselines first: what lies inside them adds nothing. "
        "A radar shows no doubt about its own numbers, so do not rank methods by it: the next figure does.",
    ),
    "pearson_bars": (
        "The same correlations, with their doubt",
        "A mark is the mean over masks, its line the 95 % interval from resampling images. "
        "Where lines overlap much, the data cannot tell the methods apart.",
    ),
    "forest_sam": (
        "Better than the model itself?",
        "What a method adds to SAM 2's own entropy, on the same masks. A diamond is the mean over datasets with its "
        "interval from resampling images; dots are datasets. A diamond whose line crosses 0 shows no difference.",
    ),
    "forest_boundary_distance": (
        "Better than the distance to the outline?",
        "The same against the naive baseline that is unsure near the predicted outline.",
    ),
    "brier_radar": (
        "Are the probabilities right?",
        "Mean squared distance of the probability from the truth; the rim is 0, so farther out is better "
        "(Fig. 6 of the paper). The baselines use SAM 2's own probability and coincide with it.",
    ),
    "brier_bars": (
        "The same Brier scores, with their doubt",
        "Read as the correlations above; here farther left is better.",
    ),
    "reliability": (
        "When it says 80 %, is it right in 80 %?",
        "A mark is a bin of pixels by predicted probability; its height is how many of them are object. Above the "
        "diagonal there is more object than the model says, below it less. The strip shows how many pixels a bin has, "
        "on a logarithmic scale: far off matters less where they are few. The baselines use SAM 2's own probability "
        "and are left out.",
    ),
    "risk_coverage": (
        "How many wrong pixels are left when the unsure ones are set aside?",
        "From right to left, ever more of the least certain pixels are set aside; the height is the share of wrong "
        "pixels among those kept. The dotted line sets exactly SAM 2's wrong pixels aside: no map of uncertainty "
        "for its masks can do better. The constant baseline sets aside at random. The mean height of a line is "
        "its AURC.",
    ),
    "controls_waterfall": (
        "How much of Laplace's difference is Bayes?",
        "From SAM 2 as the authors run it to Laplace as they run it, in four changes, on a fixed subset of masks. Each "
        "bar is what one change adds, averaged over all orders (Shapley values, which add up to the whole difference), "
        "with its 95 % interval from resampling images. Pale bars: the interval holds 0, no effect shown.",
    ),
    "decomposition": (
        "Where does the uncertainty come from?",
        "The combined method varies the last layer, the picture's colours and the box at once. Its variance falls "
        "apart exactly, and each source is given its own effect and an equal share of the joint ones.",
    ),
    "refinement_quality": (
        "What a second look makes of the masks",
        "Overlap with the truth, unrefined, refined once by each arm, and with the truth itself as mask prompt: the "
        "bound of what a mask prompt can do. Compare each arm with U with its twin with ones.",
    ),
    "refinement_forest": (
        "Is the refined mask better than the first?",
        "The difference to plain SAM 2 on the same masks. A diamond is the mean over datasets with its interval from "
        "resampling images; dots are datasets. A diamond whose line crosses 0 shows no difference.",
    ),
    "guarantees": (
        "What can be promised of a mask?",
        "Each mask is widened, by one threshold per dataset and method, until it misses at most a share α of its "
        "object on average: conformal risk control, calibrated on some images and tested on the others, over many "
        "random splits. It holds where it was calibrated, at the price of larger masks; with n images nothing below "
        "1 / (n + 1) can be promised but the whole image (grey). The matrix takes the promise elsewhere, where it "
        "does not hold: orange cells break it.",
    ),
    "clicking": (
        "Does uncertainty say where to click?",
        "From a clean box on, up to three clicks are added, each with the true label: where the method is most unsure, "
        "at random near the object, or, as the bound, at the heart of the largest error. Above: the mean IoU over all "
        "masks. Below: guided less random clicks on the same masks, with a 95 % interval from resampling images; "
        "an interval above 0 means that the uncertainty is worth a click.",
    ),
    "mask_quality": (
        "How good are the masks themselves?",
        "Overlap with the truth, over the whole mask and along its outline only. "
        "A method that averages several answers changes the mask too; the baselines keep SAM 2's and are left out.",
    ),
}


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
    order = [name for name in CAPTIONS if name in stems] + [name for name in stems if name not in CAPTIONS]
    return [_drawing(stems[name], f"f{rank}") for rank, name in enumerate(order)]


def panels(folder: Path, names: dict[str, str]) -> list[_Picture]:
    """The panel of photos of each dataset that has one; `names` maps datasets to their labels, in order."""
    found = ((name, label, folder / f"{PANEL}{name}.png") for name, label in names.items())
    return [_panel(path, label) for _, label, path in found if path.is_file()]


def _drawing(path: Path, prefix: str) -> _Picture:
    title, caption = CAPTIONS.get(path.stem, (spoken(path.stem), ""))
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
