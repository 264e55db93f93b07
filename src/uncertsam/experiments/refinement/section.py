"""What the page says of refinement: sentences, differences and the rows of Table 1, null results included."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from uncertsam.catalogue import QUALITY, REFINED, in_order, metric_facts
from uncertsam.config.arms import BOUND, PLAIN, steps_of
from uncertsam.experiments.refinement.compare import COMPARED
from uncertsam.figures.style import method_style
from uncertsam.statistics.answers import difference_cell, sentence
from uncertsam.statistics.comparisons import overall_rows
from uncertsam.statistics.schema import Tables
from uncertsam.statistics.selection import labels

ALPHA = 0.05
TWINS = (("fusion_la", "fusion_la_ones"), ("fusion_sam_entropy", "fusion_sam_ones"))  # with U, and with ones


def contents(tables: Tables) -> dict[str, Any]:
    """What the template shows of intervals.csv and refinement_answers.csv."""
    answers, means = tables[COMPARED.name], refined_once(tables["intervals.csv"])
    return {
        "readings": readings(answers),
        "against": [_against(answers, PLAIN), *(_against(answers, ones) for _, ones in TWINS)],
        "means": [_means(means, metric) for metric in QUALITY],
    }


def refined_once(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of plain SAM, of what was refined once, and of the bound."""
    return frame[frame["method"].isin([PLAIN, BOUND]) | (frame["method"].map(steps_of) == 1)]


def readings(answers: pd.DataFrame) -> list[str]:
    """Refined once: Laplace + U against plain SAM, and each arm with U against its twin with ones, by IoU."""
    wanted = [("fusion_la", PLAIN), ("fusion_la_lodo", PLAIN), *TWINS]
    found = {(row.method, row.reference): row for row in overall_rows(answers) if row.metric == "iou"}
    return [sentence(found[pair], ALPHA) for pair in wanted if pair in found]


def _against(answers: pd.DataFrame, reference: str) -> dict[str, Any]:
    """A row per arm and number of steps; against ones only the arms refined once."""
    rows = [row for row in overall_rows(answers) if row.reference == reference]
    found = {(row.method, row.metric): row for row in rows}
    metrics = list(dict.fromkeys(row.metric for row in rows))
    names = _order({row.method for row in rows})
    return {
        "title": f"Against {method_style(reference).label}",
        "metrics": [metric_facts(metric) for metric in metrics],
        "rows": [(method_style(name), [_cell(found.get((name, metric))) for metric in metrics]) for name in names],
    }


def _cell(row: Any) -> dict[str, Any] | None:
    return None if row is None else difference_cell(row, ALPHA)


def _means(frame: pd.DataFrame, metric: str) -> dict[str, Any]:
    """A row per method, a cell per dataset."""
    mine = frame[(frame["metric"] == metric) & (frame["region"] == "full")]
    names, cells = labels(mine), {(row.method, row.dataset): row for row in mine.itertuples()}
    rows = [
        (method_style(name), [_mean(cells[name, dataset]) for dataset in names])
        for name in in_order(mine["method"], [PLAIN, *REFINED])
    ]
    return {"title": metric_facts(metric).title, "datasets": list(names.values()), "rows": rows}


def _mean(row: Any) -> dict[str, str]:
    interval = "" if math.isnan(row.low) else f"{row.low:.3f}–{row.high:.3f}"
    return {"mean": f"{row.mean_masks:.3f}" if math.isfinite(row.mean_masks) else "–", "interval": interval}


def _order(names: Iterable[str]) -> list[str]:
    """Arms in the order of `REFINED`, each followed by its further steps."""
    place = {name: rank for rank, name in enumerate(REFINED)}

    def rank(name: str) -> tuple[int, int]:
        arm = name if steps_of(name) <= 1 else name.rpartition("_")[0]
        return place.get(arm, len(place)), steps_of(name)

    return sorted(names, key=rank)
