"""Which methods beat both naive baselines? Paired on the same masks, so that small differences can be seen."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from uncertsam.catalogue import BASELINES, method_facts
from uncertsam.statistics.comparisons import ALIKE, FEW, SAME, UNTRUE, WORSE, Plan, compare
from uncertsam.statistics.intervals import DatasetFacts

JUDGED = ("pearson", "augrc")  # of uncertainty against error: does it follow, does it rank
UNTESTED = {UNTRUE: UNTRUE, FEW: "too few images"}  # the note of a comparison: in words
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
    if not set(BASELINES) <= set(table["method"]):
        return []
    metrics = [metric for metric in JUDGED if metric in set(table["metric"])]
    firsts: Any = frame.drop_duplicates("dataset").itertuples()
    facts = {str(row.dataset): DatasetFacts(bool(row.synthetic), str(row.quality)) for row in firsts}
    plan = Plan(metrics, BASELINES, draws, seed=seed)
    # one by one: beside photos, worlds are judged as well
    rows = pd.concat(compare(part, facts, plan) for _, part in table.groupby("dataset"))
    rows = rows[(rows["scope"] == "dataset") & ~rows["method"].isin(BASELINES)]
    groups: Any = rows.groupby(["dataset", "method", "metric"])
    return [_judge(dataset, method, metric, pair) for (dataset, method, metric), pair in groups]


def _judge(dataset: str, method: str, metric: str, pair: pd.DataFrame) -> Verdict:
    notes, by = set(pair["note"]), pair.groupby("outcome")["reference"].agg(list)
    if note := next((text for note, text in UNTESTED.items() if note in notes), ""):
        return Verdict(dataset, method, metric, "not tested", note)
    behind, unclear = by.get(WORSE, []), [*by.get(ALIKE, []), *by.get(SAME, [])]
    reasons = [f"worse than {' and '.join(map(_plain, behind))}"] * bool(behind)
    reasons += [f"no clear difference to {' and '.join(map(_plain, unclear))}"] * bool(unclear)
    return Verdict(dataset, method, metric, "not both" if reasons else "both", ", ".join(reasons) or "better than both")


def _plain(name: str) -> str:
    """A baseline's name within a sentence: "boundary distance"."""
    return method_facts(name).label.removesuffix(" (baseline)").lower()
