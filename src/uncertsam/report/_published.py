"""The paper's numbers beside ours. Only the sets themselves count: a world in ISTD's layout is not ISTD."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from uncertsam.catalogue import BASELINES, DATASETS, method_facts
from uncertsam.data.licences import PUBLISHED, TABLE
from uncertsam.statistics.selection import marks, methods

FILE = Path(__file__).with_name("published.csv")
OVERLAPS = {"iou": "iou", "boundary_iou_0.02": "boundary_iou", "boundary_iou_0.01": "boundary_iou"}  # ours: the paper's
REFINED = ("truth_prompt", "fusion_sam_ones", "fusion_la_ones", "fusion_la")  # Table 1, by our names
MODEL = "sam2_large"  # of the authors' configurations; the paper says "SAM-2"
BENCHMARK = "benchmark"  # the adapter of the sets as the authors publish them


@dataclass(frozen=True)
class Known:
    """What a run knows about one of its datasets: its label, the adapter that read it, and whether it is generated."""

    label: str
    adapter: str
    synthetic: bool


def read_published() -> pd.DataFrame:
    """Every number of the paper that can be compared: dataset, method, metric, relation, value, source.

    Overlaps are in percent, as printed. relation is "=", or ">" where the text gives a bound.
    """
    return pd.read_csv(FILE, keep_default_na=False)


def is_published(name: str, known: Known) -> bool:
    """Whether a dataset of a run is the paper's: its name, read as its raw set or as published, and not generated."""
    return name in PUBLISHED and not known.synthetic and known.adapter in (_adapter(name), BENCHMARK)


def beside(frame: pd.DataFrame, found: Mapping[str, Known], params: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of the paper's numbers beside a run's; `frame` has rows of `intervals.csv` (full region)."""
    paper, rows = read_published(), marks(frame)
    keyed = paper.set_index(["dataset", "method", "metric"])["value"].to_dict()
    values: dict[Any, float] = {key: float(value) for key, value in keyed.items()}
    shared = [name for name in DATASETS if name in found and is_published(name, found[name])]
    lines = [
        {
            "label": DATASETS[name],
            "cells": [_cell(values[name, "sam", theirs], rows.get((name, "sam", ours)) if name in shared else None)
                      for ours, theirs in OVERLAPS.items()],
            "lowest": _lowest(frame, name) if name in shared else "",
            "size": _size(frame, name) if name in shared else "",
            "why": "" if name in shared else _why(name, found),
        }
        for name in DATASETS
    ]  # fmt: skip
    sizes = {name: f"{values['all', '', name]:,.0f}" for name in ("images", "masks")}
    base, methods = (dict(params.get(name) or {}) for name in ("base", "methods"))
    model, sam = str(base.get("model", "")), dict(methods.get("sam") or {})
    return {
        "lines": lines,
        "shared": len(shared),
        "bound": f"{values['every', 'every', 'pearson']:g}",
        "sizes": sizes,
        "refined": _refined(paper),
        "model": model or "not stated",
        "same_model": model == MODEL,
        "token": sam.get("token", "not stated"),
        "gate": {True: "on", False: "off"}.get(sam.get("gate", ""), "not stated"),
    }


def _adapter(name: str) -> str:
    """The adapter of a published set's raw layout."""
    return next(adapter for adapter, row in TABLE.items() if row is PUBLISHED[name])


def _cell(published: float, row: Any) -> dict[str, str]:
    """Percent, as the paper prints them: its value, ours with interval, and the difference."""
    cell = {"paper": f"{published:.2f}", "ours": "", "interval": "", "difference": ""}
    if row is None:
        return cell
    ours = 100 * row.mean_masks
    known = math.isfinite(row.low) and math.isfinite(row.high)
    interval = f"{100 * row.low:.1f}–{100 * row.high:.1f}" if known else ""
    return cell | {"ours": f"{ours:.2f}", "interval": interval, "difference": f"{ours - published:+.2f}"}


def _lowest(frame: pd.DataFrame, name: str) -> str:
    """The lowest mean correlation of a method that is no naive baseline, and whose it is."""
    mine = frame[(frame["dataset"] == name) & (frame["metric"] == "pearson") & ~frame["method"].isin(BASELINES)]
    values = {row.method: float(row.mean_masks) for row in marks(mine).values()}
    if not values:
        return ""
    worst = min(methods(mine), key=lambda method: values.get(method, math.inf))
    return f"{values[worst]:.2f} ({method_facts(worst).label})"


def _size(frame: pd.DataFrame, name: str) -> str:
    mine = frame[frame["dataset"] == name]
    if mine.empty:
        return "nothing measured"
    return f"{int(mine['n_masks'].max())} masks, {int(mine['n_images'].max())} images"


def _why(name: str, found: Mapping[str, Known]) -> str:
    """Why nothing of ours stands beside a published set."""
    if name in found:
        known = found[name]
        return "generated, not photos" if known.synthetic else f"read as {known.adapter or 'something unknown'}"
    layout = [known.label for known in found.values() if known.adapter == _adapter(name)]
    return f"not in this run; {' and '.join(layout)} only has its layout" if layout else "not in this run"


def _refined(paper: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """The other rows of Table 1: name, and "mIoU / mBIoU" per dataset in the order of `DATASETS`."""
    refined = paper[paper["method"].isin(REFINED)]
    rows = []
    for source, part in refined.groupby("source", sort=False):
        value = part.set_index(["dataset", "metric"])["value"]
        cells = [f"{value[name, 'iou']:.2f} / {value[name, 'boundary_iou']:.2f}" for name in DATASETS]
        rows.append((str(source).removeprefix("Table 1: "), cells))
    return rows
