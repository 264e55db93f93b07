"""Which methods beat both naive baselines? Paired on the same masks, so that small differences can be seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from uncertsam.catalogue import BASELINES, UNTRUE_LABELS, method_facts, metric_facts
from uncertsam.statistics.intervals import paired_difference
from uncertsam.statistics.selection import TOO_SMALL, methods

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
    with too few images, are not tested. Unless both baselines were run there is no verdict.
    """
    table = results[results["metric"].isin(list(JUDGED)) & (results["region"] == "full")]
    names, metrics = methods(table), [metric for metric in JUDGED if metric in set(table["metric"])]
    untrue = set(frame.loc[frame["quality"].isin(UNTRUE_LABELS), "dataset"])
    return [
        verdict
        for method in names if method not in BASELINES and set(BASELINES) <= set(names)
        for metric in metrics
        for verdict in _judge(table, method, metric, untrue, draws, seed)
    ]  # fmt: skip


def _judge(table: pd.DataFrame, method: str, metric: str, untrue: set[str], draws: int, seed: int) -> Iterator[Verdict]:
    sign = -1 if metric_facts(metric).better == "lower" else 1
    rows = pd.concat(paired_difference(table, method, naive, metric, draws=draws, seed=seed) for naive in BASELINES)
    for dataset, pair in rows.groupby("dataset"):
        if dataset in untrue:
            yield Verdict(str(dataset), method, metric, "not tested", "labels are not ground truth")
        elif (pair["note"] == TOO_SMALL).any():
            yield Verdict(str(dataset), method, metric, "not tested", "too few images")
        else:
            yield _compare(str(dataset), method, metric, sign, pair)


def _compare(dataset: str, method: str, metric: str, sign: int, pair: pd.DataFrame) -> Verdict:
    worst, best = (pair[["low", "high"]] * sign).min(axis=1), (pair[["low", "high"]] * sign).max(axis=1)
    behind = [_plain(name) for name in pair.loc[best < 0, "method_b"]]
    unclear = [_plain(name) for name in pair.loc[~(worst > 0) & ~(best < 0), "method_b"]]
    reasons = [f"worse than {' and '.join(behind)}"] * bool(behind)
    reasons += [f"no clear difference to {' and '.join(unclear)}"] * bool(unclear)
    return Verdict(dataset, method, metric, "not both" if reasons else "both", ", ".join(reasons) or "better than both")


def _plain(name: str) -> str:
    """A baseline's name within a sentence: "boundary distance"."""
    return method_facts(name).label.removesuffix(" (baseline)").lower()
