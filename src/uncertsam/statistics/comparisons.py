"""Each method against each reference: on the same masks, with images resampled, per dataset and over datasets.

Per dataset: the mean over masks of the paired difference, its bootstrap interval (clustered by image) and standard
error, the smallest detectable difference, and the standardised mean difference. Over datasets: the mean of their
differences, its interval for these datasets (images resampled within each), Wilcoxon's signed-rank test for datasets
like these with Holm's correction over the methods of one reference and metric, and the rank-biserial correlation.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from uncertsam.base.errors import UserError
from uncertsam.catalogue import BASELINES, METHODS, UNTRUE_LABELS, in_order, metric_facts
from uncertsam.config.sections import Compare
from uncertsam.metrics.masks import METRICS
from uncertsam.metrics.ranking import ratio
from uncertsam.statistics._significance import detectable, holm, signed_rank
from uncertsam.statistics.intervals import FEWEST_IMAGES, DatasetFacts, limits, resampled_means, resamples
from uncertsam.statistics.schema import COUNT, FLAG, NUMBER, WORD, Column, Schema

PAIR = ["reference", "metric", "method"]
COUNTS = ["n_images", "n_masks", "n_nan"]
BETTER, WORSE, ALIKE, SAME, UNTESTED = "better", "worse", "no difference shown", "identical", "not tested"
OUTCOMES = (BETTER, WORSE, ALIKE, SAME, UNTESTED)
FEW, UNTRUE, SET_ASIDE = "n too small", "labels are not ground truth", "synthetic, beside photos"
# what a rank or a threshold decides jumps where numbers barely move; check-reports computes it again from them
_DECIDED = Column(empty=True, repeats=False)
ANSWERS = Schema(
    "answers.csv",
    "Run the compare stage.",
    {**dict.fromkeys(PAIR, WORD), "scope": Column("str", words=("dataset", "overall")), "dataset": WORD,
     **dict.fromkeys(("difference", "low", "high", "error", "detectable"), NUMBER),
     **dict.fromkeys(("effect", "p", "p_holm"), _DECIDED), **dict.fromkeys(("n_datasets", *COUNTS), COUNT),
     "outcome": Column("str", words=OUTCOMES, repeats=False), "note": WORD, "synthetic": FLAG, "quality": WORD},
    [*PAIR, "scope", "dataset"],
    decimals=8,
)  # fmt: skip
COLUMNS = list(ANSWERS.columns)
EXACT = 1e-12  # differences below are rounding: the same maps measured twice


@dataclass(frozen=True)
class Plan:
    """What is judged, fixed before anything is: the section `answers` of the parameters."""

    metrics: Sequence[str]
    references: Sequence[str]
    resamples: int = 2000
    alpha: float = 0.05
    seed: int = 0

    @classmethod
    def of(cls, knobs: Compare, seed: int) -> "Plan":
        return cls(knobs.metrics, knobs.references, knobs.resamples, knobs.alpha, seed)


@dataclass(frozen=True)
class _Paired:
    """The differences of one dataset: a column per (reference, metric, method) and their bootstrap means."""

    columns: pd.MultiIndex
    mean: Float[np.ndarray, " k"]
    spread: Float[np.ndarray, " k"]  # standard deviation over masks
    draws: Float[np.ndarray, "draws k"]
    images: Float[np.ndarray, " k"]
    masks: int
    missing: Float[np.ndarray, " k"]


def compare(table: pd.DataFrame, facts: Mapping[str, DatasetFacts], plan: Plan) -> pd.DataFrame:
    """Rows with the columns of `COLUMNS`: scope "dataset" for each dataset, scope "overall" (dataset "") over them.

    `table` is the long table of measures; its full region counts. A difference is method less reference, in the units
    of the metric. Datasets with fewer than 5 images, or whose labels are not ground truth, get a row and no test.
    References and metrics that were not measured have no rows (see `absent`). Raises UserError on an unknown metric.
    """
    values = table[(table["region"] == "full") & table["metric"].isin(list(plan.metrics))]
    _check(plan)
    found = {str(name): _paired(str(name), part, plan) for name, part in values.groupby("dataset")}
    paired = {name: one for name, one in found.items() if one}
    if not paired:
        return pd.DataFrame(columns=COLUMNS)
    tested = tested_datasets(
        {name: facts[name] for name in paired}, {n: int(p.images.max()) for n, p in paired.items()}
    )
    rows = [_rows(name, one, facts[name], tested[name], plan) for name, one in paired.items()]
    kept = {name: one for name, one in paired.items() if not tested[name]}
    overall = [_overall(kept, facts, plan)] if kept else []
    frame = pd.concat([*rows, *overall], ignore_index=True)
    rank = {name: place for place, name in enumerate(in_order(frame["method"], METHODS))}
    order = frame.assign(
        reference=frame["reference"].map(list(plan.references).index),
        metric=frame["metric"].map(list(plan.metrics).index),
        method=frame["method"].map(rank),
    )
    return frame.loc[order.sort_values([*PAIR, "scope", "dataset"]).index, COLUMNS].reset_index(drop=True)


def tested_datasets(facts: Mapping[str, DatasetFacts], images: Mapping[str, int]) -> dict[str, str]:
    """For each dataset the reason why it is not tested, "" where it is.

    Synthetic worlds are tested only where no photos are: an average of both would say nothing about either.
    """
    reasons = {name: _reason(facts[name], images[name]) for name in facts}
    if any(not reason and not facts[name].synthetic for name, reason in reasons.items()):
        reasons |= {name: reasons[name] or SET_ASIDE for name in facts if facts[name].synthetic}
    return reasons


def _reason(facts: DatasetFacts, images: int) -> str:
    if facts.quality in UNTRUE_LABELS:
        return UNTRUE
    return FEW if images < FEWEST_IMAGES else ""


def absent(frame: pd.DataFrame, plan: Plan) -> list[str]:
    """The references and metrics of the plan with which nothing was compared."""
    planned = {"reference": plan.references, "metric": plan.metrics}
    return [name for column, names in planned.items() for name in names if name not in set(frame[column])]


def _check(plan: Plan) -> None:
    for name in plan.metrics:
        if name not in METRICS:
            raise UserError(f"compare.metrics: there is no metric {name!r}.", f"Known are {', '.join(METRICS)}.")


def _paired(dataset: str, part: pd.DataFrame, plan: Plan) -> _Paired | None:
    """Differences on the same masks. Every dataset draws its resamples alone, so that methods share them."""
    wide = part.pivot(index=["image_id", "mask_id"], columns=["metric", "method"], values="value")
    there, methods = set(wide.columns), sorted(set(part["method"]))
    pairs = {
        (reference, metric, method): wide[metric, method] - wide[metric, reference]
        for reference in plan.references
        for metric in plan.metrics
        for method in methods
        if method != reference and {(metric, method), (metric, reference)} <= there
    }
    if not pairs:
        return None
    differences = pd.DataFrame(pairs)
    differences = differences.mask(differences.abs() < EXACT, 0.0)
    differences.columns.names = PAIR
    images = differences.groupby(level="image_id")
    sums, counts = images.sum().to_numpy(), images.count().to_numpy()
    draws = resampled_means(sums, counts, resamples(dataset, len(sums), plan.resamples, plan.seed))
    return _Paired(
        columns=pd.MultiIndex.from_frame(differences.columns.to_frame(index=False)),
        mean=ratio(sums.sum(0), counts.sum(0)),
        spread=differences.std().to_numpy(),
        draws=draws,
        images=(counts > 0).sum(0).astype(float),
        masks=len(differences),
        missing=differences.isna().sum().to_numpy(float),
    )


def _rows(dataset: str, one: _Paired, facts: DatasetFacts, reason: str, plan: Plan) -> pd.DataFrame:
    rows = one.columns.to_frame(index=False).assign(scope="dataset", dataset=dataset, difference=one.mean)
    rows = rows.assign(effect=ratio(one.mean, one.spread, empty=math.nan), p=math.nan, p_holm=math.nan, n_datasets=1)
    rows = rows.assign(n_images=one.images.astype(int), n_masks=one.masks, n_nan=one.missing.astype(int))
    few = one.images < FEWEST_IMAGES
    rows = _sure(rows, np.where(few, math.nan, one.draws), plan)
    notes = [reason or (FEW if lacking else "") for lacking in few]
    return _judged(rows, notes).assign(synthetic=facts.synthetic, quality=facts.quality)


def _sure(rows: pd.DataFrame, draws: Float[np.ndarray, "draws k"], plan: Plan) -> pd.DataFrame:
    """The interval, the standard error, and what would have been seen."""
    low, high = limits(draws, 1 - plan.alpha)
    known = ~np.isnan(draws).all(axis=0)
    error = np.full(draws.shape[1], math.nan)
    error[known] = np.nanstd(draws[:, known], axis=0, ddof=1)
    return rows.assign(low=low, high=high, error=error, detectable=detectable(error, plan.alpha))


def _judged(rows: pd.DataFrame, notes: Sequence[str]) -> pd.DataFrame:
    outcomes = [_outcome(row, note) for row, note in zip(rows.itertuples(), notes, strict=True)]
    return rows.assign(outcome=outcomes, note=list(notes))


def _outcome(row: Any, note: str) -> str:
    """By the interval alone: does it lie wholly on one side of 0?"""
    if note or math.isnan(row.low):
        return UNTESTED
    if row.low == row.high == 0:
        return SAME
    if row.low <= 0 <= row.high:
        return ALIKE
    return BETTER if (row.low > 0) == (metric_facts(row.metric).better == "higher") else WORSE


def _overall(kept: Mapping[str, _Paired], facts: Mapping[str, DatasetFacts], plan: Plan) -> pd.DataFrame:
    """The mean of the datasets' differences: each dataset weighs the same, however many masks it has."""
    parts = [_tested(name, one) for name, one in kept.items()]
    means = pd.concat([mean for mean, _, _ in parts], axis=1)
    draws = [draws.reindex(columns=means.index).to_numpy() for _, draws, _ in parts]
    counts = pd.concat([count for _, _, count in parts]).groupby(level=PAIR).sum().reindex(means.index)
    keys = means.index.to_frame(index=False)
    rows = keys.assign(scope="overall", dataset="", difference=means.mean(axis=1).to_numpy())
    rows[COUNTS] = counts[COUNTS].to_numpy()
    rows["n_datasets"] = means.count(axis=1).to_numpy()
    rows = _sure(rows, _mean_of(draws), plan)
    rank = [signed_rank(values[~np.isnan(values)]) for values in means.to_numpy()]
    rows = rows.assign(p=[test.p for test in rank], effect=[test.effect for test in rank])
    rows["p_holm"] = _corrected(rows)
    made = all(facts[name].synthetic for name in kept)
    return _judged(rows, [""] * len(rows)).assign(synthetic=made, quality="synthetic" if made else "human")


def _mean_of(draws: Sequence[Float[np.ndarray, "draws k"]]) -> Float[np.ndarray, "draws k"]:
    """The mean over datasets in each resample, over those that have a value."""
    stacked = np.stack(draws)
    return ratio(np.nansum(stacked, axis=0), (~np.isnan(stacked)).sum(axis=0))


def _tested(name: str, one: _Paired) -> tuple[pd.Series, pd.DataFrame, pd.DataFrame]:
    """Means, resampled means and counts of one dataset, without the pairs that have too few images."""
    enough = one.images >= FEWEST_IMAGES
    columns = one.columns[enough]
    counts = {
        "n_images": one.images[enough].astype(int),
        "n_masks": one.masks,
        "n_nan": one.missing[enough].astype(int),
    }
    return (
        pd.Series(one.mean[enough], columns, name=name),
        pd.DataFrame(one.draws[:, enough], columns=columns),
        pd.DataFrame(counts, columns),
    )


def _corrected(rows: pd.DataFrame) -> list[float]:
    """Holm's p over the methods of one reference and metric; the naive baselines are no candidates, hence no tests."""
    adjusted = dict.fromkeys(rows.index, math.nan)
    for _, family in rows[~rows["method"].isin(BASELINES)].groupby(["reference", "metric"]):
        adjusted |= dict(zip(family.index, holm(list(family["p"])), strict=True))
    return list(adjusted.values())


def family_sizes(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    """How many tests Holm's correction counted, by (reference, metric)."""
    tests = frame[(frame["scope"] == "overall") & frame["p_holm"].notna()]
    return {(str(r), str(m)): len(part) for (r, m), part in tests.groupby(["reference", "metric"])}


def overall_rows(frame: pd.DataFrame) -> Iterator[Any]:
    """The rows over datasets, as named tuples in the table's order."""
    return iter(frame[frame["scope"] == "overall"].itertuples())
