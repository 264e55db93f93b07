"""The sheet of paper under every figure: title, body, footnotes, provenance; and how it is written."""

import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uncertsam.base.files import written_aside
from uncertsam.figures.style import GRID, INK, MUTED, PAPER

LINE = 0.15  # height of a line of small print, inches
MARGIN = 0.12  # inches
DPI = 100


@dataclass(frozen=True)
class Sheet:
    """A figure and where its body is, in inches from the lower left corner."""

    figure: Figure
    width: float
    height: float
    bottom: float

    def place(self, left: float, bottom: float, width: float, height: float) -> tuple[float, float, float, float]:
        """A rectangle in inches within the body as the fractions that `figure.add_axes` wants."""
        return left / self.width, (self.bottom + bottom) / self.height, width / self.width, height / self.height

    def columns(self, count: int, left: float, gap: float, bottom: float, height: float) -> list[Axes]:
        """So many axes side by side, to the right edge; each with a gap on its right. Inches."""
        wide = (self.width - left - gap * count) / count
        places = [self.place(left + k * (wide + gap), bottom, wide, height) for k in range(count)]
        return [self.figure.add_axes(place) for place in places]

    def legend(self, handles: Sequence[Artist], bottom: float, height: float, columns: int = 3, **look: Any) -> None:
        """What marks mean, in a strip over the whole width. Inches."""
        corner = self.place(0.0, bottom, self.width, height)
        self.figure.legend(handles=list(handles), loc="center left", ncols=columns, bbox_to_anchor=corner, **look)


def bands(axes: Axes, names: Sequence[str], size: float = 8.5) -> None:
    """A band per name, first on top, every other one shaded; an empty name is a band too."""
    for rank in range(1, len(names), 2):
        axes.axhspan(rank - 0.5, rank + 0.5, color=GRID, alpha=0.45, linewidth=0, zorder=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), labels=names, fontsize=size, color=INK)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=True, axis="x")


def ticks(axis: Axis, most: int) -> None:
    """Few round numbers, written as short as can be."""
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 5, 10]))
    axis.set_major_formatter("{x:g}")


def sheet(
    size: tuple[float, float],
    title: str,
    subtitle: str,
    notes: Sequence[str] = (),
    provenance: str = "",
    kind: type[Figure] = Figure,
) -> Sheet:
    """An empty figure with a body of `size` (width, height; inches) between its title and its small print.

    Axes are placed in inches (`Sheet.place`): no layout engine, so that pictures of different data line up. Sizes and
    colours are given, not Matplotlib's settings.
    """
    width, body = size
    small = [line for note in notes for line in _wrapped(note, width)]
    above = 0.3 + LINE * len(_wrapped(subtitle, width)) + MARGIN
    below = LINE * (len(small) + bool(provenance)) + MARGIN
    height = body + above + below
    figure = kind(figsize=(width, height), dpi=DPI, facecolor=PAPER, frameon=True)
    figure.set_layout_engine("none")
    left = MARGIN / width
    plain: dict[str, Any] = {"parse_math": False}  # a file's name may hold $
    lines = "\n".join(_wrapped(subtitle, width))
    figure.text(left, 1 - 0.08 / height, title, fontsize=12, fontweight="bold", color=INK, va="top", **plain)
    figure.text(left, 1 - 0.31 / height, lines, fontsize=8.5, color=MUTED, va="top", **plain)
    for rank, line in enumerate([provenance] * bool(provenance) + small[::-1]):
        figure.text(left, (0.06 + LINE * rank) / height, line, fontsize=7, color=MUTED, va="bottom", **plain)
    return Sheet(figure, width, height, below)


def write(figure: Figure, frame: pd.DataFrame, stem: Path) -> list[Path]:
    """Write STEM.csv, STEM.svg and STEM.png; same figure, same bytes. Returns the three paths."""
    paths = [stem.with_name(stem.name + suffix) for suffix in (".csv", ".svg", ".png")]
    with written_aside(paths[0]) as aside:
        frame.to_csv(aside, index=False)
    for path, tags in zip(paths[1:], ({"Date": None, "Creator": None}, {"Software": None}), strict=True):
        with written_aside(path) as aside, warnings.catch_warnings():
            # a name in a script that the font lacks: boxes in the PNG, right in SVG and table
            warnings.filterwarnings("ignore", "Glyph .* missing")
            figure.savefig(aside, format=path.suffix[1:], metadata=tags)
    return paths


def _wrapped(text: str, width: float) -> list[str]:
    return textwrap.wrap(text, int(width * 15)) or [""]
