"""The answers as HTML, a card per method. All pictures are in the text itself: nothing is fetched from anywhere."""

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np
from jaxtyping import UInt8
from matplotlib import colormaps
from matplotlib.colors import to_hex

from uncertsam.app.api.drawing import limits
from uncertsam.app.api.prediction import Prediction
from uncertsam.app.demo import _views
from uncertsam.app.demo._maps import Region, kept, regions, suggested
from uncertsam.app.demo.session import Session
from uncertsam.base.files import encoded
from uncertsam.catalogue import method_facts, spoken

RAMP = ", ".join(to_hex(colormaps["magma"](k / 8)) for k in range(9))
STYLE = """
.cards {display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 14px}
.card {border: 1px solid #d4d4d8; border-radius: 8px; padding: 12px; min-width: 0}
.card h3 {margin: 0 0 2px; font-size: 1.05rem}
.card p {margin: 2px 0 8px}
.maps {display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; margin-bottom: 8px}
.maps figure {margin: 0}
.maps img {width: 100%; height: auto; display: block; border-radius: 4px}
.maps figcaption {font-size: .8rem; line-height: 1.25; margin-top: 3px}
.scale {height: 8px; margin-top: 4px; border-radius: 2px}
.ends {display: flex; justify-content: space-between; font-size: .75rem}
.card ol {margin: 2px 0 0 1.4em; padding: 0; list-style: decimal; font-size: .85rem}
.said {padding: 8px 12px; border-radius: 6px; background: #e0f2fe; color: #0c4a6e; min-height: 1.2em}
.said.failed {background: #fee2e2; color: #7f1d1d}
"""


def message(session: Session) -> str:
    """The sentence on the page: a mistake, a note, or what to do next."""
    said = session.said or _next(session)
    return f'<div class="said{" failed" if session.failed else ""}" role="status">{escape(said)}</div>'


def cards(session: Session) -> str:
    """All answers side by side."""
    found = "".join(_card(answer, session) for answer in session.answers.values())
    return f'<div class="cards">{found}</div>' if found else ""


def _card(answer: Prediction, session: Session) -> str:
    """One method's mask, map, what is kept, what the map is made of, and its most uncertain regions."""
    found, ends = regions(answer.uncertainty), limits(answer)
    at = suggested(answer.uncertainty, [(c.x, c.y) for c in session.clicks])
    figures = [
        _figure(_views.masked(answer), "mask"),
        _figure(_views.doubted(answer, ends, at, found), "uncertainty", ends),
        _figure(_views.certain(answer, session.share), _kept(answer, session.share)),
    ]
    title = escape(method_facts(answer.method).label)
    head = f"<h3>{title}</h3><p>{escape(_scores(answer))}</p>"
    parts = f'<div class="maps">{_parts(answer)}</div>' if answer.decomposition else ""
    return f'<div class="card">{head}<div class="maps">{"".join(figures)}</div>{parts}{_listed(found, answer)}</div>'


def _next(session: Session) -> str:
    if session.photo is None:
        return "Choose a sample or upload a picture."
    if not session.answers:
        return "Click at two corners of a box around an object, or choose what a click means and click."
    return "The ring marks where the chosen method is most uncertain. Say by a click whether that is the object."


def _scores(answer: Prediction) -> str:
    seconds = answer.timings["prepare"] + answer.timings["answer"]
    score = f"mean uncertainty {answer.score:.3g}{_unit(answer)}"
    return f"{score} · predicted IoU {answer.iou:.2f} · {seconds:.2f} s"


def _unit(answer: Prediction) -> str:
    return "" if answer.origin.unit == "1" else f" {answer.origin.unit}"


def _kept(answer: Prediction, share: float) -> str:
    inside = kept(answer.uncertainty, share)
    told = f"{100 * inside.mean():.3g} % kept"
    if not inside.any():
        return told
    mean = float(answer.uncertainty[inside].mean(dtype=np.float64))
    return f"{told}, mean {mean:.3g}{_unit(answer)}; striped: set aside"


def _parts(answer: Prediction) -> str:
    """The parts on one scale, that of the largest: they are there to be compared."""
    ends = (0.0, max(max(float(part.max()) for part in answer.decomposition.values()), 1e-12))
    found = []
    for name, part in answer.decomposition.items():
        told = f"{spoken(name).lower()}: mean {float(part.mean(dtype=np.float64)):.3g}{_unit(answer)}"
        found.append(_figure(_views.coloured(part, ends), told, ends))
    return "".join(found)


def _listed(found: Sequence[Region], answer: Prediction) -> str:
    if not found:
        return "<p>Everywhere equally uncertain: no region stands out.</p>"
    rows = (
        f"<li>around ({r.x}, {r.y}): up to {r.peak:.3g}{_unit(answer)}, {100 * r.share:.2g} % of the picture</li>"
        for r in found
    )
    return f"<div>Most uncertain regions</div><ol>{''.join(rows)}</ol>"


def _figure(picture: UInt8[np.ndarray, "h w 3"], caption: str, ends: tuple[float, float] | None = None) -> str:
    scale = ""
    if ends is not None:
        bar = f'<div class="scale" style="background: linear-gradient(to right, {RAMP})"></div>'
        scale = f'{bar}<div class="ends"><span>{ends[0]:.2g}</span><span>{ends[1]:.2g}</span></div>'
    image = f'<img src="{_inlined(picture)}" alt="{escape(caption)}">'
    return f"<figure>{image}{scale}<figcaption>{escape(caption)}</figcaption></figure>"


def _inlined(picture: UInt8[np.ndarray, "h w 3"]) -> str:
    data = encoded(picture[..., ::-1], ".jpg", [cv2.IMWRITE_JPEG_QUALITY, 88])
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
