"""Relative AUC of every score for every decision, with intervals: a panel per decision, a row per score."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from uncertsam.config.sections import ALL
from uncertsam.experiments.decisions.table import DECISIONS, DEPLOYABLE, SCORES, primary
from uncertsam.figures.sheet import bands, sheet, ticks, write
from uncertsam.figures.style import INK, MUTED, PAPER, styled

WIDTH, NAMES, GAP, ROW = 8.0, 1.7, 0.2, 0.32  # inches
COLOUR = "#D55E00"
LABELS = {
    "usam": "USAM, expected IoUs",
    "usam_direct": "USAM, gain itself",
    "sam_score": "SAM's predicted IoU",
    "h_std": "Entropy of the mask",
    "h_y": "Entropy, everything",
    "h_theta": "Entropy over models",
    "h_xp": "Entropy over clicks",
    "h_a": "Entropy over masks",
}
HOW = (
    "Which masks should be replaced first? 0: the worst order, 1: the best, 1/2: a random one on average. 95 % "
    "intervals (near-duplicates, else images, resampled). Deployable protocol: no score knows the truth."
)


def decisions(frame: pd.DataFrame, stem: Path, provenance: str = "") -> list[Path]:
    """Draw rows of `usam.csv` that are not empty. Returns the files written."""
    drawn = primary(frame[frame["protocol"] == DEPLOYABLE]).reset_index(drop=True)
    shown = [name for name in DECISIONS if name in set(drawn["decision"])]
    body = ROW * len(SCORES)
    masks = int(drawn.loc[drawn["dataset"] == ALL, "n"].max())
    with styled():
        page = sheet((WIDTH, body + 0.95), f"What to improve first: {masks} masks", HOW, (), provenance)
        page.legend(_keys(), body + 0.68, 0.25)
        for decision, axes in zip(shown, page.columns(len(shown), NAMES, GAP, 0.3, body), strict=True):
            bands(axes, [LABELS[name] if decision == shown[0] else "" for name in SCORES])
            _panel(axes, drawn[drawn["decision"] == decision])
            axes.set_title(f"{decision} decision", fontsize=8.5)
        return write(page.figure, drawn, stem)


def _keys() -> list[Line2D]:
    plain: dict[str, Any] = {"linestyle": "none", "color": MUTED, "markersize": 4}
    return [
        Line2D([], [], **plain | {"color": COLOUR, "markersize": 6}, marker="D", label="all datasets"),
        Line2D([], [], **plain, marker="o", markerfacecolor=PAPER, label="one dataset"),
    ]


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axvline(0.5, color=INK, linewidth=0.8)
    for row in rows.to_dict("records"):
        place = SCORES.index(row["score"])
        if row["dataset"] == ALL:
            axes.plot([row["lo"], row["hi"]], [place + 0.15] * 2, color=COLOUR, linewidth=2)
            axes.plot(row["rel_auc"], place + 0.15, "D", color=COLOUR, markersize=5)
        else:
            axes.plot(row["rel_auc"], place - 0.2, "o", color=MUTED, markerfacecolor=PAPER, markersize=3.5)
    axes.set_xlim(-0.02, 1.02)
    ticks(axes.xaxis, 4)
