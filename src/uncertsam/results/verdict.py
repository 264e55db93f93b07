"""Which methods beat both naive baselines? Paired on the same masks, so that small differences can be seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from uncertsam.figures.style import BASELINES, UNTRUE_LABELS, method_style, metric_style
from uncertsam.figures.table import TOO_SMALL, methods
from uncertsam.results.intervals import paired_difference

JUDGED = ("pearson", "augrc")  # of uncertainty against error: does it follow, does it rank
Outcome = Literal["both", "not both", "not tested"]


@dataclass(frozen=True)
class Verdict:
    """The outcome for one method on one dataset by one metric, and the reason in words."""

    dataset: str
    method: str
    metric: str
    outcome: Outcome
    reason: str


def verdicts(results: pd.DataFrame, frame: pd.DataFrame, draws: int = 2000, seed: int = 0) -> list[Verdict]:
    """A method beats a baseline where the 95 % interval of their paired difference lies wholly on the better side.

    `results` is the long table, `frame` the rows of `intervals.csv`. Datasets whose labels are not ground truth, or
    with too few images, are not tested. Where no baseline was run there is no verdict.
    """
    rivals = [name for name in BASELINES if name in set(results["method"])]
    if not rivals:
        return []
    metrics = [metric for metric in JUDGED if metric in set(results["metric"])]
    names = [name for name in methods(results) if name not in BASELINES]
    pairs = [(method, metric) for metric in metrics for method in names]
    return [v for method, metric in pairs for v in _judge(results, frame, method, metric, rivals, draws, seed)]


def _judge(
    results: pd.DataFrame, frame: pd.DataFrame, method: str, metric: str, rivals: list[str], draws: int, seed: int
) -> Iterator[Verdict]:
    sign = -1 if metric_style(metric).better == "lower" else 1
    rows = pd.concat(
        paired_difference(results, method, rival, metric, draws=draws, seed=seed).assign(rival=rival)
        for rival in rivals
    )
    quality = frame.groupby("dataset")["quality"].first()
    for dataset, pair in rows.groupby("dataset"):
        if quality.get(dataset) in UNTRUE_LABELS:
            yield Verdict(str(dataset), method, metric, "not tested", "labels are not ground truth")
        elif (pair["note"] == TOO_SMALL).any():
            yield Verdict(str(dataset), method, metric, "not tested", "too few images")
        else:
            yield _compare(str(dataset), method, metric, sign, pair)


def _compare(dataset: str, method: str, metric: str, sign: int, pair: pd.DataFrame) -> Verdict:
    worst, best = (pair[["low", "high"]] * sign).min(axis=1), (pair[["low", "high"]] * sign).max(axis=1)
    behind = [_plain(name) for name in pair.loc[best < 0, "rival"]]
    unclear = [_plain(name) for name in pair.loc[~(worst > 0) & ~(best < 0), "rival"]]
    reasons = [f"worse than {' and '.join(behind)}"] * bool(behind)
    reasons += [f"no clear difference to {' and '.join(unclear)}"] * bool(unclear)
    return Verdict(dataset, method, metric, "not both" if reasons else "both", ", ".join(reasons) or "better than both")


def _plain(name: str) -> str:
    """A baseline's name within a sentence: "boundary distance"."""
    return method_style(name).label.removesuffix(" (baseline)").lower()
