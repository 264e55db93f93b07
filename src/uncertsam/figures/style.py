"""How things look: one colour, marker and line per method, in every picture and table.

The colours start from Okabe and Ito's colour-blind safe set. Importing this module loads no drawing library, so that
the report can use the same colours. What things are called is told by `uncertsam.catalogue`.
"""

import colorsys
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uncertsam.catalogue import method_facts

STYLE_SHEET = Path(__file__).with_name("uncertsam.mplstyle")

# the page colours of the style sheet, in code: a page may repaint them (dark mode), a method's colour never changes
INK, MUTED, RULE, GRID, PAPER = "#1c2430", "#5c6573", "#c9cfd8", "#e3e7ec", "#ffffff"


@dataclass(frozen=True)
class MethodStyle:
    """The look of a method and a sentence on it; `line` is a Matplotlib line style, `baseline` marks the naive ones."""

    label: str
    colour: str
    marker: str
    about: str = ""
    line: Any = "-"
    baseline: bool = False


@dataclass(frozen=True)
class _Look:
    """Colour, marker, and a Matplotlib line style."""

    colour: str
    marker: str
    line: Any = "-"


LOOKS: dict[str, _Look] = {
    "sam": _Look("#0072B2", "o"),
    "laplace": _Look("#D55E00", "D"),
    "laplace_closed": _Look("#E69F00", "s"),
    "tta_train": _Look("#009C6D", "^"),
    "tta_hue": _Look("#8FD694", "v"),
    "tta_geometric": _Look("#59DBDB", "<"),
    "prompt": _Look("#C0104A", "P"),
    "variance": _Look("#9266F2", "h"),
    "combined_total": _Look("#65311E", "*", (0, (6, 1.5, 1.5, 1.5))),
    "combined_sum": _Look("#F4C21F", ">", (0, (6, 1.5, 1.5, 1.5))),
    "combined_fitted": _Look("#2E90BF", "H", (0, (6, 1.5, 1.5, 1.5))),
    "constant": _Look("#A3A8B0", "X", (0, (1.5, 1.5))),
    "boundary_distance": _Look("#59606B", "d", (0, (4, 2))),
    "fusion_sam_ones": _Look("#8FB8DE", "o"),
    "fusion_la_ones": _Look("#F2B48C", "D"),
    "fusion_sam_entropy": _Look("#2C6FA8", "o"),
    "fusion_la": _Look("#B3440B", "D"),
    "fusion_la_lodo": _Look("#C89B1E", "D"),
    "truth_prompt": _Look("#59606B", "X"),
}


# what SAM and LA as published differ in, in the order in which a waterfall goes through it
FACTORS: dict[str, MethodStyle] = {
    "token": MethodStyle("Token 0, always", "#0072B2", "o", "Instead of SAM 2's fallback to another mask."),
    "gate": MethodStyle("No gate", "#009C6D", "s", "A mask stays where the object score says that there is none."),
    "precision": MethodStyle("bfloat16, clamped", "#9266F2", "^", "After the logits; P is held in [0.01, 0.99]."),
    "bayes": MethodStyle("Laplace", "#D55E00", "D", "The posterior's average instead of the plain answer."),
}


_MARKERS = ("o", "s", "^", "D", "v", "P", ">", "h", "<", "p")


def method_style(name: str) -> MethodStyle:
    """The look of a method. An unknown one gets a colour and a marker by the hash of its name, the same everywhere."""
    facts, look = method_facts(name), _look(name)
    return MethodStyle(facts.label, look.colour, look.marker, facts.about, look.line, facts.baseline)


def _look(name: str) -> _Look:
    if name in LOOKS:
        return LOOKS[name]
    first, _, steps = name.rpartition("_")
    if first.startswith("fusion_") and steps.isdigit():
        return _look(first)
    code = hashlib.sha256(name.encode()).digest()
    if name.startswith("combined_"):
        colour = _hex(0.06 + code[0] / 255 * 0.06, 0.22 + code[1] / 255 * 0.25, 0.8)
        return _Look(colour, "*", (0, (6, 1.5, 1.5, 1.5)))
    colour = _hex(code[0] / 256, 0.35 + code[1] / 255 * 0.25, 0.7)
    return _Look(colour, _MARKERS[code[2] % len(_MARKERS)])


@contextmanager
def styled() -> Iterator[None]:
    """Draw inside this: the project's style sheet on Matplotlib's defaults, whatever the machine's own settings are.

    For a process that draws in one thread only, as a stage does: Matplotlib's settings are shared by all threads.
    """
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE_SHEET]):
        yield


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(f"{round(255 * c):02X}" for c in colorsys.hls_to_rgb(hue, lightness, saturation))
